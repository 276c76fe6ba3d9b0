// What the files of this folder share: each adds the functions of a family to the module.
#pragma once
#include <algorithm>
#include <string>

#include "../array.h"
#include "../kernels/table.h"

namespace dovetail {

void bind_attention(nb::module_& m);
void bind_chain(nb::module_& m);
void bind_classes(nb::module_& m);
void bind_conv(nb::module_& m);
void bind_curves(nb::module_& m);
void bind_join(nb::module_& m);
void bind_memory(nb::module_& m);
void bind_norm(nb::module_& m);
void bind_optim(nb::module_& m);
void bind_picking(nb::module_& m);
void bind_pointwise(nb::module_& m);
void bind_pooling(nb::module_& m);
void bind_product(nb::module_& m);
void bind_random(nb::module_& m);
void bind_rearrange(nb::module_& m);
void bind_recurrent(nb::module_& m);
void bind_reduce(nb::module_& m);
void bind_sampler(nb::module_& m);
void bind_twin(nb::module_& m);
void bind_warp(nb::module_& m);

// What a product of matrices is called in the list of ops, and its arguments; `added` is None or the bias of a linear layer.
struct Product {
    std::string name;
    nb::object input, other, added;
};
// The product into `out`, an array of its shape, with `after` on each finished part; false, and nothing done, where its kernel would
// decline.
bool product_into(const Product& p, nb::handle out, const After& after);

// Call f(T{}) with the element type of an array, float or double; else let the reference serve.
template <class F> nb::object by_type(const Array& x, F&& f) {
    if (x.type() == NPY_FLOAT32) return f(float{});
    if (x.type() == NPY_FLOAT64) return f(double{});
    return decline();
}

}  // namespace dovetail
