// Images of NumPy arrays, read between their pixels.
#include "bind.h"

namespace dovetail {
namespace {

bool of(nb::handle h, int type, int ndim) {
    if (!is_array(h)) return false;
    const Array a(h);
    return a.type() == type && a.ndim() == ndim && a.contiguous() && a.aligned();
}

// warp(image (C, H, W), places (3, 3) or (H', W', 2), origin (x, y, shift), size (H', W'), fill (C,) or None, bytes) to (C, H', W')
nb::object warp(nb::handle image, nb::handle places, nb::handle origin, long oh, long ow, nb::handle fill, bool bytes) {
    if (!is_array(image)) return decline();
    return by_type(Array(image), [&](auto t) -> nb::object {
        using T = decltype(t);
        const Array x(image);
        const bool grid = of(places, x.type(), 3);
        if (!of(image, x.type(), 3) || !x.count() || oh < 1 || ow < 1 || (x.size(1) + 2) * (x.size(2) + 2) >= 1L << 31 || ow >= 1L << 24)
            return decline();
        if (!grid && !of(places, x.type(), 2)) return decline();
        const Array at(places);
        if (grid ? at.size(0) != oh || at.size(1) != ow || at.size(2) != 2 : at.size(0) != 3 || at.size(1) != 3) return decline();
        if (!of(origin, x.type(), 1) || Array(origin).size(0) != 3) return decline();
        if (!fill.is_none() && (!of(fill, x.type(), 1) || Array(fill).size(0) != x.size(0))) return decline();
        const T* first = Array(origin).data<T>();
        const Warp<T> s{x.size(0),
                        x.size(1),
                        x.size(2),
                        oh,
                        ow,
                        grid ? nullptr : at.data<T>(),
                        first[0],
                        first[1],
                        first[2],
                        grid ? at.data<T>() : nullptr,
                        fill.is_none() ? nullptr : Array(fill).data<T>()};
        nb::object out = fresh({x.size(0), oh, ow}, bytes ? int(NPY_UINT8) : x.type());
        auto& k = kernels<T>().warp;
        quietly(double(oh) * double(ow) * 8, [&] {
            if (bytes) k.between_bytes(s, x.template data<T>(), Array(out).data<uint8_t>());
            else k.between(s, x.template data<T>(), Array(out).data<T>());
        });
        return out;
    });
}

}  // namespace

void bind_warp(nb::module_& m) { m.def("warp", &warp, nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg().none(), nb::arg()); }

}  // namespace dovetail
