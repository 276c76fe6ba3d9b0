// Matrix products of NumPy arrays: matmul and its relatives, and the linear layer.
#include <vector>

#include "../pool.h"
#include "bind.h"

namespace dovetail {
namespace {

// A stack of matrices: where each begins, and the steps inside.
template <class T> struct Stack {
    nb::object owner;  // the array, or the copy of it that can be read with a unit step
    std::vector<npy_intp> lead;
    long rows, columns, row, column;
    const T* p;

    Stack(nb::handle array, bool turned) : owner(nb::borrow(array)) {
        Array a(array);
        const int n = a.ndim();
        auto steps_fit = [&] { return a.aligned() && (a.stride(-1) == 1 || a.stride(-2) == 1 || a.count() <= 1); };
        bool whole = steps_fit();
        for (int i = n - 2; i < n && whole; i++) whole = a.size(i) <= 1 || a.stride(i) > 0;
        if (!whole) {
            owner = straight_copy(array);
            a = Array(owner);
        }
        rows = a.size(-2), columns = a.size(-1), row = a.stride(-2), column = a.stride(-1);
        if (columns == 1 && row != 1) column = 1;
        if (rows == 1 && column != 1) row = 1;
        if (turned) std::swap(rows, columns), std::swap(row, column);
        for (int i = 0; i + 2 < n; i++) lead.push_back(a.size(i)), lead_steps.push_back(a.stride(i));
        p = a.data<T>();
    }
    static nb::object straight_copy(nb::handle array) {
        PyObject* copy = PyArray_FromArray(Array(array).a, nullptr, NPY_ARRAY_CARRAY | NPY_ARRAY_ENSURECOPY);
        if (!copy) throw nb::python_error();
        return nb::steal(copy);
    }
    // Take all leading dimensions for more rows, where the memory lies so.
    bool fold() {
        long step = rows * row;
        for (int i = (int)lead.size() - 1; i >= 0; i--) {
            if (column != 1 || (lead[i] != 1 && lead_steps[i] != step)) return false;
            step *= lead[i];
        }
        for (npy_intp size : lead) rows *= size;
        lead.clear(), lead_steps.clear();
        return true;
    }
    // The matrix at an index of the broadcast leading dimensions `shape`.
    Matrix<T> at(long index, const std::vector<npy_intp>& shape) const {
        const T* q = p;
        for (int i = (int)shape.size() - 1, j = (int)lead.size() - 1; j >= 0; i--, j--) {
            if (lead[j] != 1) q += index % shape[i] * lead_steps[j];
            index /= shape[i];
        }
        return {q, row, column};
    }

  private:
    std::vector<npy_intp> lead_steps;
};

// The leading dimensions of both together, as NumPy broadcasts them; false where they do not fit.
bool broadcast(const std::vector<npy_intp>& a, const std::vector<npy_intp>& b, std::vector<npy_intp>& out) {
    out = a.size() >= b.size() ? a : b;
    const auto& other = a.size() >= b.size() ? b : a;
    for (size_t i = 0; i < other.size(); i++) {
        npy_intp& have = out[out.size() - other.size() + i];
        if (have != other[i] && have != 1 && other[i] != 1) return false;
        if (have == 1) have = other[i];
    }
    return true;
}

bool has_shape(nb::handle array, const std::vector<npy_intp>& shape) {
    Array a(array);
    return a.ndim() == (int)shape.size() && std::equal(shape.begin(), shape.end(), a.shape());
}

bool fits(nb::handle input, nb::handle other) {
    if (!is_array(input) || !is_array(other)) return false;
    Array a(input), b(other);
    return a.ndim() >= 2 && b.ndim() >= 2 && a.type() == b.type() && (a.type() == NPY_FLOAT32 || a.type() == NPY_FLOAT64);
}

// Into a new array; or into `into`, with `after`, where it is a single product.
template <class T> nb::object stacked(nb::handle input, bool input_turned, nb::handle other, bool other_turned, nb::handle into = {},
                                      const After& after = {}) {
    Stack<T> a(input, input_turned), b(other, other_turned);
    std::vector<npy_intp> shape;
    if (a.columns != b.rows || !broadcast(a.lead, b.lead, shape)) return decline();  // the reference knows the words
    if (a.columns < 5) return decline();  // sums so short that nothing is won: NumPy's rounding stays
    std::vector<npy_intp> whole(shape);
    whole.push_back(a.rows), whole.push_back(b.columns);
    if (b.lead.empty() && !shape.empty() && a.fold()) shape.clear();  // one matrix for all: a single product
    const long m = a.rows, n = b.columns, k = a.columns;
    long count = 1;
    for (npy_intp s : shape) count *= s;
    if (into && (count != 1 || !has_shape(into, whole))) return decline();
    nb::object out = into ? nb::borrow(into) : fresh((int)whole.size(), whole.data(), Array(input).type());
    T* c = Array(out).data<T>();
    const auto product = kernels<T>().product.product;
    const Finish<T> finish{nullptr, nullptr, Then::nothing, after};
    auto one = [&](long i, int) { product(m, n, k, a.at(i, shape), b.at(i, shape), c + i * m * n, n, false, finish); };
    quietly(double(count) * m * n * k, [&] {
        if (count >= 2 * threads() && double(m) * n * k < 1e7) parallel(count, one);
        else
            for (long i = 0; i < count; i++) one(i, 0);
    });
    return out;
}

template <bool INPUT_TURNED, bool OTHER_TURNED> nb::object matmul(nb::handle input, nb::handle other) {
    if (!fits(input, other)) return decline();
    return by_type(Array(input), [&](auto t) { return stacked<decltype(t)>(input, INPUT_TURNED, other, OTHER_TURNED); });
}

// All dimensions but the last, as one: an array (..., k) as a matrix of rows.
template <class T> Matrix<T> rows_of(nb::object& array) {
    array = straight(array);
    Array a(array);
    return {a.data<T>(), a.size(-1), 1};
}

template <class T> nb::object linear(nb::handle input, nb::handle weight, nb::handle bias, nb::handle into, const After& after) {
    Array x(input), w(weight);
    const long k = x.size(-1), n = w.size(0), m = k ? x.count() / k : 0;
    nb::object rows = nb::borrow(input), matrix = nb::borrow(weight), added = nb::borrow(bias);
    Matrix<T> a = rows_of<T>(rows), b;
    if (w.aligned() && w.stride(0) == 1 && w.stride(1) >= n) b = {w.data<T>(), w.stride(1), 1};
    else b = rows_of<T>(matrix), std::swap(b.row, b.column);
    Finish<T> finish;
    finish.after = after;
    if (!bias.is_none()) {
        added = straight(bias);
        finish.by_column = Array(added).data<T>();
    }
    std::vector<npy_intp> shape(x.shape(), x.shape() + x.ndim());
    shape.back() = n;
    if (into && !has_shape(into, shape)) return decline();
    nb::object out = into ? nb::borrow(into) : fresh((int)shape.size(), shape.data(), x.type());
    quietly(double(m) * n * k, [&] { kernels<T>().product.product(m, n, k, a, b, Array(out).data<T>(), n, false, finish); });
    return out;
}

nb::object linear_any(nb::handle input, nb::handle weight, nb::handle bias, nb::handle into = {}, const After& after = {}) {
    if (!is_array(input) || !is_array(weight) || !(bias.is_none() || is_array(bias))) return decline();
    Array x(input), w(weight);
    if (x.ndim() < 1 || w.ndim() != 2 || x.size(-1) != w.size(1) || !x.size(-1) || x.type() != w.type()) return decline();
    if (!bias.is_none() && (Array(bias).ndim() != 1 || Array(bias).size(0) != w.size(0) || Array(bias).type() != x.type()))
        return decline();
    return by_type(x, [&](auto t) { return linear<decltype(t)>(input, weight, bias, into, after); });
}

// inputᵀ @ other with all leading dimensions summed over: (..., n), (..., p) to (n, p); with SUMS also input so summed, (n).
template <bool SUMS> nb::object folded_tn(nb::handle input, nb::handle other) {
    if (!fits(input, other)) return decline();
    Array x(input), y(other);
    const long n = x.size(-1), p = y.size(-1), k = n ? x.count() / n : 0;
    if (!n || !p || y.count() / p != k) return decline();
    return by_type(x, [&](auto t) -> nb::object {
        using T = decltype(t);
        nb::object left = nb::borrow(input), right = nb::borrow(other);
        Matrix<T> a = rows_of<T>(left), b = rows_of<T>(right);
        std::swap(a.row, a.column);
        nb::object out = fresh({n, p}, x.type());
        Finish<T> finish;
        std::vector<double> sums(SUMS ? n : 0);
        if (SUMS) finish.row_sums = sums.data();
        quietly(double(n) * p * k, [&] { kernels<T>().product.product(n, p, k, a, b, Array(out).data<T>(), p, false, finish); });
        if (!SUMS) return out;
        nb::object total = fresh({n}, x.type());
        std::copy(sums.begin(), sums.end(), Array(total).data<T>());
        return nb::make_tuple(out, total);
    });
}

}  // namespace

bool product_into(const Product& p, nb::handle out, const After& after) {
    if (p.name == "linear") return !linear_any(p.input, p.other, p.added, out, after).is(decline());
    if (!fits(p.input, p.other) || Array(p.input).type() != Array(out).type()) return false;
    const bool tn = p.name == "matmul_tn", nt = p.name == "matmul_nt";
    return by_type(Array(out), [&](auto t) { return nb::bool_(!stacked<decltype(t)>(p.input, tn, p.other, nt, out, after).is(decline())); })
        .is(nb::bool_(true));
}

void bind_product(nb::module_& m) {
    m.def("matmul", &matmul<false, false>);
    m.def("matmul_nt", &matmul<false, true>);
    m.def("matmul_tn", &matmul<true, false>);
    m.def("matmul_folded_tn", &folded_tn<false>);
    m.def("linear_grad", &folded_tn<true>);
    m.def(
        "linear", [](nb::handle input, nb::handle weight, nb::handle bias) { return linear_any(input, weight, bias); }, nb::arg("input"),
        nb::arg("weight"), nb::arg("bias").none());
}

}  // namespace dovetail
