// LSTM and GRU layers of NumPy arrays: the products that all steps share are taken at once, before and after the way through time.
#include "bind.h"

namespace dovetail {
namespace {

bool cube(nb::handle h, int type) { return is_array(h) && Array(h).ndim() == 3 && Array(h).type() == type; }
bool matrix(nb::handle h, long rows, long columns, int type) {
    return is_array(h) && Array(h).ndim() == 2 && Array(h).size(0) == rows && Array(h).size(1) == columns && Array(h).type() == type;
}

// An array (T, N, ·) as it lies, where its rows are runs of memory; else of a straight copy, which `keep` then holds.
template <class T> Sequence<T> sequence(nb::object& keep) {
    if (keep.is_none()) return {nullptr, 0, 0, 0};
    Array a(keep);
    if (!a.aligned() || (a.size(2) > 1 && a.stride(2) != 1)) keep = straight(keep), a = Array(keep);
    return {a.data<T>(), a.size(2), a.stride(0), a.stride(1)};
}

// lstm_layer(input, h0, c0, w_ih, w_hh, b_ih, b_hh, reverse, lengths) to (out, h_n, c_n, gates, cells)
nb::object lstm_layer(nb::handle input, nb::handle h0, nb::handle c0, nb::handle w_ih, nb::handle w_hh, nb::handle b_ih, nb::handle b_hh,
                      bool reverse, nb::handle lengths) {
    if (!is_array(input) || !lengths.is_none() || !is_array(w_hh) || Array(w_hh).ndim() != 2) return decline();
    const int type = Array(input).type();
    const long hidden = Array(w_hh).size(1);
    if (!cube(input, type) || !Array(input).count() || !hidden) return decline();
    const long steps = Array(input).size(0), n = Array(input).size(1), width = Array(input).size(2), wide = 4 * hidden;
    if (!matrix(w_hh, wide, hidden, type) || !matrix(w_ih, wide, width, type) || !matrix(h0, n, hidden, type) ||
        !matrix(c0, n, hidden, type))
        return decline();
    for (nb::handle b : {b_ih, b_hh})
        if (!b.is_none() && (!is_array(b) || Array(b).ndim() != 1 || Array(b).size(0) != wide || Array(b).type() != type)) return decline();
    return by_type(Array(input), [&](auto t) -> nb::object {
        using T = decltype(t);
        nb::object x = nb::borrow(input), wi = straight(w_ih), wh = straight(w_hh), h = straight(h0), c = straight(c0);
        const auto rows = sequence<T>(x);
        nb::object out = fresh({steps, n, hidden}, type), cells = fresh({steps, n, hidden}, type), gates = fresh({steps, n, wide}, type);
        nb::object h_n = fresh({n, hidden}, type), c_n = fresh({n, hidden}, type), bias = fresh({wide}, type);
        T* b = Array(bias).data<T>();
        for (long i = 0; i < wide; i++) b[i] = 0;
        for (nb::handle one : {b_ih, b_hh})
            if (!one.is_none()) {
                nb::object whole = straight(one);
                for (long i = 0; i < wide; i++) b[i] += Array(whole).data<T>()[i];
            }
        const RecurrentShape s{steps, n, hidden, reverse};
        auto data = [](const nb::object& o) { return Array(o).data<T>(); };
        T *y = Array(out).data<T>(), *all = Array(cells).data<T>(), *a = Array(gates).data<T>();
        const auto& k = kernels<T>();
        quietly(double(steps) * n * wide * (width + hidden), [&] {
            k.recurrent.lstm(s, {rows, data(h), data(c), data(wi), data(wh), y}, b, a, y, all);
            const long last = s.at(steps - 1) * n * hidden;
            std::copy(y + last, y + last + n * hidden, Array(h_n).data<T>());
            std::copy(all + last, all + last + n * hidden, Array(c_n).data<T>());
        });
        return nb::make_tuple(nb::make_tuple(out, h_n, c_n), gates, cells);
    });
}

// lstm_layer_grad(by_out, by_h, by_c, input, h0, c0, w_ih, w_hh, reverse, lengths, y, gates, cells, needs)
nb::object lstm_layer_grad(nb::handle by_out, nb::handle by_h, nb::handle by_c, nb::handle input, nb::handle h0, nb::handle c0,
                           nb::handle w_ih, nb::handle w_hh, bool reverse, nb::handle lengths, nb::handle y, nb::handle gates,
                           nb::handle cells, nb::tuple needs) {
    if (!is_array(input) || !lengths.is_none() || !cube(gates, Array(input).type())) return decline();
    const int type = Array(input).type();
    const long steps = Array(input).size(0), n = Array(input).size(1), width = Array(input).size(2), wide = Array(gates).size(2),
               hidden = wide / 4;
    if (!cube(y, type) || !cube(cells, type) || !Array(input).count() || !hidden || !(by_out.is_none() || cube(by_out, type)) ||
        !(by_h.is_none() || matrix(by_h, n, hidden, type)) || !(by_c.is_none() || matrix(by_c, n, hidden, type)))
        return decline();
    return by_type(Array(input), [&](auto t) -> nb::object {
        using T = decltype(t);
        auto whole = [](nb::handle h) { return h.is_none() ? nb::none() : straight(h); };
        auto data = [](const nb::object& o) { return o.is_none() ? nullptr : Array(o).data<T>(); };
        nb::object keep[] = {nb::borrow(by_out), whole(by_h), whole(by_c), nb::borrow(input), whole(h0),   whole(c0),
                             whole(w_ih),        whole(w_hh), whole(y),    whole(gates),      whole(cells)};
        const auto dy = sequence<T>(keep[0]), x = sequence<T>(keep[3]);
        auto wanted = [&](int i) { return nb::cast<bool>(needs[size_t(i)]); };
        auto made = [&](int i, std::initializer_list<npy_intp> shape) { return wanted(i) ? fresh(shape, type) : fresh({0}, type); };
        auto asked = [&](int i, const nb::object& to) { return wanted(i) ? Array(to).data<T>() : nullptr; };
        nb::object by_h0 = fresh({n, hidden}, type), by_c0 = fresh({n, hidden}, type);
        nb::object by_x = made(0, {steps, n, width}), by_wi = made(3, {wide, width}), by_wh = made(4, {wide, hidden});
        nb::object by_bi = made(5, {wide}), by_bh = made(6, {wide});
        const RecurrentShape s{steps, n, hidden, reverse};
        const RecurrentLayer<T> layer{x, data(keep[4]), data(keep[5]), data(keep[6]), data(keep[7]), data(keep[8])};
        const RecurrentGrads<T> to{asked(0, by_x),  Array(by_h0).data<T>(), Array(by_c0).data<T>(), asked(3, by_wi),
                                   asked(4, by_wh), asked(5, by_bi),        asked(6, by_bh)};
        quietly(double(steps) * n * wide * (width + hidden),
                [&] { kernels<T>().recurrent.lstm_grad(s, layer, data(keep[9]), data(keep[10]), dy, data(keep[1]), data(keep[2]), to); });
        return nb::make_tuple(by_x, by_h0, by_c0, by_wi, by_wh, by_bi, by_bh);
    });
}

// gru_layer(input, h0, w_ih, w_hh, b_ih, b_hh, reverse, lengths) to ((out, h_n), gates, inner)
nb::object gru_layer(nb::handle input, nb::handle h0, nb::handle w_ih, nb::handle w_hh, nb::handle b_ih, nb::handle b_hh, bool reverse,
                     nb::handle lengths) {
    if (!is_array(input) || !lengths.is_none() || !is_array(w_hh) || Array(w_hh).ndim() != 2) return decline();
    const int type = Array(input).type();
    const long hidden = Array(w_hh).size(1);
    if (!cube(input, type) || !Array(input).count() || !hidden) return decline();
    const long steps = Array(input).size(0), n = Array(input).size(1), width = Array(input).size(2), wide = 3 * hidden;
    if (!matrix(w_hh, wide, hidden, type) || !matrix(w_ih, wide, width, type) || !matrix(h0, n, hidden, type)) return decline();
    for (nb::handle b : {b_ih, b_hh})
        if (!b.is_none() && (!is_array(b) || Array(b).ndim() != 1 || Array(b).size(0) != wide || Array(b).type() != type)) return decline();
    return by_type(Array(input), [&](auto t) -> nb::object {
        using T = decltype(t);
        auto whole = [](nb::handle h) { return h.is_none() ? nb::none() : straight(h); };
        nb::object x = nb::borrow(input), wi = straight(w_ih), wh = straight(w_hh), h = straight(h0), bi = whole(b_ih), bh = whole(b_hh);
        const auto rows = sequence<T>(x);
        nb::object out = fresh({steps, n, hidden}, type), inner = fresh({steps, n, hidden}, type), gates = fresh({steps, n, wide}, type);
        nb::object h_n = fresh({n, hidden}, type);
        const RecurrentShape s{steps, n, hidden, reverse};
        auto data = [](const nb::object& o) { return o.is_none() ? nullptr : Array(o).data<T>(); };
        T *y = Array(out).data<T>(), *a = Array(gates).data<T>();
        const auto& k = kernels<T>();
        quietly(double(steps) * n * wide * (width + hidden), [&] {
            k.recurrent.gru(s, {rows, data(h), nullptr, data(wi), data(wh), y}, data(bi), data(bh), a, y, data(inner));
            const long last = s.at(steps - 1) * n * hidden;
            std::copy(y + last, y + last + n * hidden, Array(h_n).data<T>());
        });
        return nb::make_tuple(nb::make_tuple(out, h_n), gates, inner);
    });
}

// gru_layer_grad(by_out, by_h, input, h0, w_ih, w_hh, reverse, lengths, y, gates, inner, needs)
nb::object gru_layer_grad(nb::handle by_out, nb::handle by_h, nb::handle input, nb::handle h0, nb::handle w_ih, nb::handle w_hh,
                          bool reverse, nb::handle lengths, nb::handle y, nb::handle gates, nb::handle inner, nb::tuple needs) {
    if (!is_array(input) || !lengths.is_none() || !cube(gates, Array(input).type())) return decline();
    const int type = Array(input).type();
    const long steps = Array(input).size(0), n = Array(input).size(1), width = Array(input).size(2), wide = Array(gates).size(2),
               hidden = wide / 3;
    if (!cube(y, type) || !cube(inner, type) || !Array(input).count() || !hidden || !(by_out.is_none() || cube(by_out, type)) ||
        !(by_h.is_none() || matrix(by_h, n, hidden, type)))
        return decline();
    return by_type(Array(input), [&](auto t) -> nb::object {
        using T = decltype(t);
        auto whole = [](nb::handle h) { return h.is_none() ? nb::none() : straight(h); };
        auto data = [](const nb::object& o) { return o.is_none() ? nullptr : Array(o).data<T>(); };
        nb::object keep[] = {nb::borrow(by_out), whole(by_h), nb::borrow(input), whole(h0),   whole(w_ih),
                             whole(w_hh),        whole(y),    whole(gates),      whole(inner)};
        const auto dy = sequence<T>(keep[0]), x = sequence<T>(keep[2]);
        auto wanted = [&](int i) { return nb::cast<bool>(needs[size_t(i)]); };
        auto made = [&](int i, std::initializer_list<npy_intp> shape) { return wanted(i) ? fresh(shape, type) : fresh({0}, type); };
        auto asked = [&](int i, const nb::object& to) { return wanted(i) ? Array(to).data<T>() : nullptr; };
        nb::object by_h0 = fresh({n, hidden}, type), by_x = made(0, {steps, n, width}), by_wi = made(2, {wide, width});
        nb::object by_wh = made(3, {wide, hidden}), by_bi = made(4, {wide}), by_bh = made(5, {wide});
        const RecurrentShape s{steps, n, hidden, reverse};
        const RecurrentLayer<T> layer{x, data(keep[3]), nullptr, data(keep[4]), data(keep[5]), data(keep[6])};
        const RecurrentGrads<T> to{asked(0, by_x),  Array(by_h0).data<T>(), nullptr,        asked(2, by_wi),
                                   asked(3, by_wh), asked(4, by_bi),        asked(5, by_bh)};
        quietly(double(steps) * n * wide * (width + hidden),
                [&] { kernels<T>().recurrent.gru_grad(s, layer, data(keep[7]), data(keep[8]), dy, data(keep[1]), to); });
        return nb::make_tuple(by_x, by_h0, by_wi, by_wh, by_bi, by_bh);
    });
}

}  // namespace

void bind_recurrent(nb::module_& m) {
    using nb::arg;
    m.def("lstm_layer", &lstm_layer, arg(), arg(), arg(), arg(), arg(), arg().none(), arg().none(), arg(), arg().none());
    m.def("lstm_layer_grad", &lstm_layer_grad, arg().none(), arg().none(), arg().none(), arg(), arg(), arg(), arg(), arg(), arg(),
          arg().none(), arg(), arg(), arg(), arg());
    m.def("gru_layer", &gru_layer, arg(), arg(), arg(), arg(), arg().none(), arg().none(), arg(), arg().none());
    m.def("gru_layer_grad", &gru_layer_grad, arg().none(), arg().none(), arg(), arg(), arg(), arg(), arg(), arg().none(), arg(), arg(),
          arg(), arg());
}

}  // namespace dovetail
