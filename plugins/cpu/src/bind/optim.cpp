// Updates of optimizers on lists of NumPy arrays, which are changed in place.
#include <vector>

#include "bind.h"

namespace dovetail {
namespace {

// The lists as the kernels take them; false where an array has gaps or another type.
template <class T> bool gather(nb::list params, nb::list grads, nb::list states, std::vector<Parameter<T>>& out, double& elements) {
    const size_t n = nb::len(params), kept = nb::len(states);
    const int type = Array(params[0]).type();
    if (nb::len(grads) != n || kept > 3) return false;
    auto fits = [&](nb::handle h, long count) {
        return is_array(h) && Array(h).contiguous() && Array(h).aligned() && Array(h).type() == type && Array(h).count() == count;
    };
    out.resize(n);
    for (size_t i = 0; i < n; i++) {
        nb::handle p = params[i], g = grads[i];
        if (!is_array(p)) return false;
        const long count = Array(p).count();
        if (!fits(p, count) || !fits(g, count)) return false;
        out[i] = {Array(p).data<T>(), Array(g).data<T>(), {}, count};
        for (size_t k = 0; k < kept; k++) {
            nb::handle s = nb::borrow<nb::list>(states[k])[i];
            if (!fits(s, count)) return false;
            out[i].state[k] = Array(s).data<T>();
        }
        elements += double(count);
    }
    return true;
}

template <class F> nb::object apply(nb::list params, nb::list grads, nb::list states, F&& f) {
    if (!nb::len(params) || !is_array(params[0])) return decline();
    return by_type(Array(params[0]), [&](auto t) -> nb::object {
        using T = decltype(t);
        std::vector<Parameter<T>> list;
        double elements = 0;
        if (!gather<T>(params, grads, states, list, elements)) return decline();
        quietly(elements * 4, [&] { f(list); });
        return nb::none();
    });
}

nb::object sgd(nb::list params, nb::list grads, nb::list states, bool maximize, double l2, double lr, double momentum, double inflow,
               bool nesterov) {
    const SgdRule rule{lr, momentum, inflow, l2, nesterov, maximize};
    return apply(params, grads, states, [&](auto& list) {
        using T = std::remove_reference_t<decltype(*list[0].p)>;
        kernels<T>().optim.sgd(rule, list.data(), (long)list.size());
    });
}

nb::object adam(nb::list params, nb::list grads, nb::list states, bool maximize, double l2, double step_size, double root_correction,
                double beta1, double beta2, double eps, double decay) {
    if (nb::len(states) < 2) return decline();
    const AdamRule rule{step_size, root_correction, beta1, beta2, eps, decay, l2, maximize};
    return apply(params, grads, states, [&](auto& list) {
        using T = std::remove_reference_t<decltype(*list[0].p)>;
        kernels<T>().optim.adam(rule, list.data(), (long)list.size());
    });
}

}  // namespace

void bind_optim(nb::module_& m) {
    using nb::arg;
    m.def("sgd_update", &sgd, arg(), arg(), arg(), arg("maximize"), arg("l2"), arg("lr"), arg("momentum"), arg("inflow"), arg("nesterov"));
    m.def("adam_update", &adam, arg(), arg(), arg(), arg("maximize"), arg("l2"), arg("step_size"), arg("root_correction"), arg("beta1"),
          arg("beta2"), arg("eps"), arg("decay"));
}

}  // namespace dovetail
