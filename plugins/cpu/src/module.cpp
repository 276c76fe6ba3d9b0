// The extension module: NumPy's C interface, the instruction set, and every family's functions.
#define ARRAY_MAIN
#include "bind/bind.h"

static void* load_numpy() {
    import_array1(nullptr);
    return reinterpret_cast<void*>(1);
}

NB_MODULE(_native, m) {
    if (!load_numpy()) throw nb::python_error();
    if (!dovetail::instruction_set()) throw nb::import_error("dovetail_cpu: this processor has none of the instruction sets of the build");
    dovetail::bind_attention(m);
    dovetail::bind_chain(m);
    dovetail::bind_classes(m);
    dovetail::bind_conv(m);
    dovetail::bind_curves(m);
    dovetail::bind_join(m);
    dovetail::bind_memory(m);
    dovetail::bind_norm(m);
    dovetail::bind_optim(m);
    dovetail::bind_picking(m);
    dovetail::bind_pointwise(m);
    dovetail::bind_pooling(m);
    dovetail::bind_product(m);
    dovetail::bind_random(m);
    dovetail::bind_rearrange(m);
    dovetail::bind_recurrent(m);
    dovetail::bind_reduce(m);
    dovetail::bind_twin(m);
    dovetail::bind_sampler(m);
    dovetail::bind_warp(m);
}
