// grid_sample of NumPy arrays.
#include "bind.h"

namespace dovetail {
namespace {

bool fit(nb::handle h, int type) {
    if (!is_array(h)) return false;
    const Array a(h);
    return a.type() == type && a.ndim() == 4 && a.contiguous() && a.aligned();
}

// Call f(sampler) where image (N, C, H, W) and grid (N, H', W', 2) fit each other.
template <class F> nb::object sampled(nb::handle image, nb::handle grid, bool nearest, int outside, bool corners, F&& f) {
    if (!is_array(image)) return decline();
    return by_type(Array(image), [&](auto t) -> nb::object {
        using T = decltype(t);
        const Array x(image);
        if (!fit(image, x.type()) || !fit(grid, x.type())) return decline();
        const Array at(grid);
        if (at.size(0) != x.size(0) || at.size(3) != 2 || !x.count() || (x.size(2) + 2) * (x.size(3) + 2) >= 1L << 31) return decline();
        return f(Sampler<T>{x.size(0), x.size(1), x.size(2), x.size(3), at.size(1), at.size(2), x.template data<T>(), at.template data<T>(),
                            nearest, Outside(outside), corners});
    });
}

template <class T> double work(const Sampler<T>& s) { return double(s.images * s.channels) * double(s.oh * s.ow) * 8; }

nb::object grid_sampler(nb::handle image, nb::handle grid, bool nearest, int outside, bool corners) {
    return sampled(image, grid, nearest, outside, corners, [&]<class T>(const Sampler<T>& s) -> nb::object {
        nb::object out = fresh({s.images, s.channels, s.oh, s.ow}, Array(image).type());
        quietly(work(s), [&] { kernels<T>().sampler.read(s, Array(out).data<T>()); });
        return out;
    });
}

// The gradient of the result by the image, or by the grid.
nb::object grid_sampler_grad(nb::handle g, nb::handle image, nb::handle grid, bool nearest, int outside, bool corners, bool by_grid) {
    return sampled(image, grid, nearest, outside, corners, [&]<class T>(const Sampler<T>& s) -> nb::object {
        if (!fit(g, Array(image).type())) return decline();
        const Array h(g), wanted(by_grid ? grid : image);
        if (h.size(0) != s.images || h.size(1) != s.channels || h.size(2) != s.oh || h.size(3) != s.ow) return decline();
        nb::object out = fresh({wanted.size(0), wanted.size(1), wanted.size(2), wanted.size(3)}, wanted.type());
        auto& k = kernels<T>().sampler;
        quietly(work(s), [&] { (by_grid ? k.grid_grad : k.image_grad)(s, h.data<T>(), Array(out).data<T>()); });
        return out;
    });
}

}  // namespace

void bind_sampler(nb::module_& m) {
    m.def("grid_sampler", &grid_sampler);
    m.def("grid_sampler_grad", &grid_sampler_grad);
}

}  // namespace dovetail
