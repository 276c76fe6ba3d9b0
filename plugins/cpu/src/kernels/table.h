// The kernels of one instruction set, family by family, and the choice among the sets.
//
// A family is a header here (its functions, on plain pointers, nothing of the vector width), a source compiled once for
// each instruction set, and a file in bind/ that reads NumPy arrays. To add one: its struct in `Kernels`, its line in
// table.cpp, its lines in CMakeLists.txt.
#pragma once
#include "attention.h"
#include "channels.h"
#include "classes.h"
#include "conv.h"
#include "curves.h"
#include "norm.h"
#include "optim.h"
#include "picking.h"
#include "pointwise.h"
#include "pooling.h"
#include "product.h"
#include "random.h"
#include "rearrange.h"
#include "recurrent.h"
#include "reduce.h"
#include "sampler.h"
#include "warp.h"

namespace dovetail {

template <class T> struct Kernels {
    ProductKernels<T> product;
    PointwiseKernels<T> pointwise;
    AttentionKernels<T> attention;
    RecurrentKernels<T> recurrent;
    OptimKernels<T> optim;
    ReduceKernels<T> reduce;
    ClassesKernels<T> classes;
    PoolingKernels<T> pooling;
    NormKernels<T> norm;
    ConvKernels<T> conv;
    CurvesKernels<T> curves;
    RandomKernels<T> random;
    WarpKernels<T> warp;
    SamplerKernels<T> sampler;
    ChannelsKernels<T> channels;
    PickingKernels<T> picking;
    RearrangeKernels<T> rearrange;
};

struct InstructionSet {
    const char* name;
    Kernels<float> f32;
    Kernels<double> f64;
    template <class T> const Kernels<T>& of() const;
};
template <> inline const Kernels<float>& InstructionSet::of<float>() const { return f32; }
template <> inline const Kernels<double>& InstructionSet::of<double>() const { return f64; }

// The best set that this processor has and the build contains; DOVETAIL_CPU_ISA names another. Null: none.
const InstructionSet* instruction_set();
template <class T> const Kernels<T>& kernels() { return instruction_set()->of<T>(); }

#ifdef ISA
namespace ISA {
template <class T> AttentionKernels<T> attention_kernels();
template <class T> ChannelsKernels<T> channels_kernels();
template <class T> ClassesKernels<T> classes_kernels();
template <class T> ConvKernels<T> conv_kernels();
template <class T> CurvesKernels<T> curves_kernels();
template <class T> NormKernels<T> norm_kernels();
template <class T> OptimKernels<T> optim_kernels();
template <class T> PickingKernels<T> picking_kernels();
template <class T> PointwiseKernels<T> pointwise_kernels();
template <class T> PoolingKernels<T> pooling_kernels();
template <class T> ProductKernels<T> product_kernels();
template <class T> RandomKernels<T> random_kernels();
template <class T> RearrangeKernels<T> rearrange_kernels();
template <class T> RecurrentKernels<T> recurrent_kernels();
template <class T> ReduceKernels<T> reduce_kernels();
template <class T> WarpKernels<T> warp_kernels();
template <class T> SamplerKernels<T> sampler_kernels();
}  // namespace ISA
#endif

}  // namespace dovetail
