// One instruction set's kernels, put together.
#include "table.h"

namespace dovetail::ISA {

template <class T> static Kernels<T> all() {
    return {product_kernels<T>(), pointwise_kernels<T>(), attention_kernels<T>(), recurrent_kernels<T>(), optim_kernels<T>(),
            reduce_kernels<T>(),  classes_kernels<T>(),   pooling_kernels<T>(),   norm_kernels<T>(),      conv_kernels<T>(),
            curves_kernels<T>(),  random_kernels<T>(),    warp_kernels<T>(),      sampler_kernels<T>(),   channels_kernels<T>(),
            picking_kernels<T>(), rearrange_kernels<T>()};
}

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
const InstructionSet* set() {
    static const InstructionSet one{TEXT(ISA), all<float>(), all<double>()};
    return &one;
}

}  // namespace dovetail::ISA
