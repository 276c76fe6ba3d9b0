// A chain of functions element by element as one call: a small program over blocks of elements that stay in cache.
//
// Each instruction runs the kernel of its function on a block, so a chain gives the numbers that its functions give one by one.
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../allocator.h"
#include "../pool.h"
#include "bind.h"

namespace dovetail {
namespace {

constexpr long BLOCK = 512, GRAIN = 4096;  // elements: of a block, and those that are worth a thread

struct Function {
    bool pair;
    int number;
    bool single = false;  // float32 only
};
const std::map<std::string, Function>& functions() {
#define ONE(name)                          \
    {                                      \
        #name, { false, (int)Unary::name } \
    }
#define TWO(name)                          \
    {                                      \
        #name, { true, (int)Binary::name } \
    }
    static const std::map<std::string, Function> all{ONE(neg),
                                                     ONE(abs),
                                                     ONE(square),
                                                     ONE(sqrt),
                                                     ONE(rsqrt),
                                                     ONE(reciprocal),
                                                     ONE(exp),
                                                     ONE(log),
                                                     ONE(tanh),
                                                     ONE(sigmoid),
                                                     ONE(relu),
                                                     ONE(silu),
                                                     TWO(add),
                                                     TWO(sub),
                                                     TWO(mul),
                                                     TWO(div),
                                                     TWO(maximum),
                                                     TWO(minimum),
                                                     TWO(tanh_grad),
                                                     TWO(sigmoid_grad),
                                                     TWO(relu_grad),
                                                     TWO(silu_grad),
                                                     {"gelu", {false, (int)Unary::gelu, true}},
                                                     {"gelu_tanh", {false, (int)Unary::gelu_tanh, true}},
                                                     {"erf", {false, (int)Unary::erf, true}},
                                                     {"gelu_grad", {true, (int)Binary::gelu_grad, true}},
                                                     {"gelu_tanh_grad", {true, (int)Binary::gelu_tanh_grad, true}}};
#undef ONE
#undef TWO
    return all;
}

// Where the elements of an operand are found: one for all, one each, or each `inner` times, `count` in turn.
struct Reading {
    const char* p = nullptr;
    long inner = 0, count = 1;  // inner 0: one value for all
    bool each = false;
};

// An array read in the order of a shape that it broadcasts to; false where that is no such pattern.
bool read(const Array& x, const std::vector<npy_intp>& shape, Reading& how) {
    how.p = x.data<char>();
    const int ndim = (int)shape.size(), lead = ndim - x.ndim();
    if (lead < 0) return false;
    long step = 0, inner = 1;  // of the dimensions so far, from the last: where the next one should begin
    int state = 0;             // 0 before the dimensions that vary, 1 among them, 2 after
    how.count = 1;
    for (int d = ndim - 1; d >= 0; d--) {
        if (shape[d] == 1) continue;
        const long size = d >= lead ? x.size(d - lead) : 1, stride = size == 1 ? 0 : x.stride(d - lead);
        if (size != 1 && size != shape[d]) return false;
        if (!stride) {
            if (state == 0) inner *= shape[d];
            else state = 2;
            continue;
        }
        if (state == 2 || (state == 0 ? stride != 1 : stride != step)) return false;
        state = 1, step = stride * size, how.count *= size;
    }
    long total = 1;
    for (npy_intp n : shape) total *= n;
    how.each = state == 1 && how.count == total;
    how.inner = state == 0 ? 0 : inner;
    return true;
}

// A program for arrays of one shape and type. Places are numbered: operands, constants, temporaries, results.
class Chain {
    struct Step {
        Function f;
        int out, a, b;
    };
    std::vector<Step> steps;
    std::vector<double> constants;
    std::vector<std::pair<int, int>> operands;  // argument, and the row of it or -1
    std::vector<int> results;                   // a row of the first result, or -1 for an array of its own
    std::vector<npy_intp> shape;
    int type, arguments = 0, temporaries, rows = 0, own = 0;
    long n = 1;

    // What a call reads and writes, for the parts of it that run on other threads.
    template <class T> struct Work {
        const Chain* chain;
        const std::vector<Reading>& from;
        const std::vector<T*>& to;
        long columns;
    };
    template <class T> static void part(const void* what, long row, long column, long height, long width) {
        const auto& w = *static_cast<const Work<T>*>(what);
        const bool whole = width == w.columns;
        w.chain->template blocks<T>(w.from, w.to, row * w.columns + column, whole ? height * width : width, w.columns, whole ? 1 : height);
    }

    // The results; with a product, which is operand `place` and made first, of the first `many` arguments, that before them if it is kept.
    template <class T>
    nb::object run(nb::args args, const Product* product = nullptr, int many = 0, int place = -1, bool keep = false) const {
        nb::object first_made;
        if (product) first_made = fresh((int)shape.size(), shape.data(), type);
        std::vector<Reading> from(operands.size());
        for (size_t k = 0; k < operands.size(); k++) {
            const int at = operands[k].first;
            nb::handle h = product && at == place ? nb::handle(first_made) : args[many + at - (product && at > place)];
            if (!is_array(h)) return decline();
            Array x(h);
            if (x.type() != type || !x.aligned()) return decline();
            if (operands[k].second < 0) {
                if (!read(x, shape, from[k])) return decline();
            } else {
                if (!x.contiguous() || x.count() < (operands[k].second + 1) * n) return decline();
                from[k].p = reinterpret_cast<char*>(x.data<T>() + operands[k].second * n), from[k].each = true;
            }
        }
        std::vector<T*> to;
        nb::object shared;
        std::vector<nb::object> made;
        if (rows) shared = fresh({rows, (npy_intp)n}, type);
        for (int row : results) {
            if (row < 0) made.push_back(fresh((int)shape.size(), shape.data(), type));
            to.push_back(row < 0 ? Array(made.back()).data<T>() : Array(shared).data<T>() + row * n);
        }
        if (product) {
            const Work<T> work{this, from, to, shape.empty() ? 1 : (long)shape.back()};
            if (!product_into(*product, first_made, {part<T>, &work})) return decline();
        } else {
            quietly(double(n) * double(steps.size()),
                    [&] { parallel_range(n, GRAIN, [&](long first, long last) { blocks<T>(from, to, first, last - first); }); });
        }
        if (made.size() + (rows ? 1 : 0) + keep == 1) return rows ? shared : made[0];
        nb::list all;
        if (keep) all.append(first_made);
        if (rows) all.append(shared);
        for (auto& m : made) all.append(m);
        return all;
    }

    // All steps on one block after another, of `count` runs of elements; what an operand repeats is laid out beside the temporaries.
    template <class T> void blocks(const std::vector<Reading>& from, const std::vector<T*>& to, long first, long length, long apart = 0,
                                   long count = 1) const {
        const auto& kernel = kernels<T>().pointwise;
        const int ni = (int)operands.size(), nc = (int)constants.size(), nt = temporaries, all = ni + nc + nt + (int)to.size();
        const long size = std::min(BLOCK, length);
        Temporary<T> room((ni + nc + nt) * size);
        std::vector<T*> at(all);
        for (int k = 0; k < ni + nc + nt; k++) at[k] = room + k * size;
        for (int k = 0; k < ni + nc; k++)
            if (k >= ni || !(from[k].each || from[k].inner)) {
                const T v = k >= ni ? T(constants[k - ni]) : *reinterpret_cast<const T*>(from[k].p);
                std::fill(at[k], at[k] + size, v);
            }
        const long pieces = (length + size - 1) / size;
        for (long q = 0; q < pieces * count; q++) {
            const long i = first + q / pieces * apart + q % pieces * size, m = std::min(size, length - q % pieces * size);
            for (int k = 0; k < ni; k++) {
                const T* p = reinterpret_cast<const T*>(from[k].p);
                if (from[k].each) at[k] = const_cast<T*>(p) + i;
                else if (from[k].inner) {
                    long inner = from[k].inner, count = from[k].count, j = i / inner % count, left = inner - i % inner;
                    for (long e = 0; e < m; j = j + 1 == count ? 0 : j + 1, left = inner)
                        for (const long end = std::min(m, e + left); e < end; e++) at[k][e] = p[j];
                }
            }
            for (size_t k = 0; k < to.size(); k++) at[ni + nc + nt + k] = to[k] + i;
            Pairing how;
            how.n = m;
            for (const Step& s : steps) {
                if (s.f.pair) kernel.binary((Binary)s.f.number, how, at[s.a], at[s.b], at[s.out]);
                else kernel.unary((Unary)s.f.number, at[s.a], at[s.out], m);
            }
        }
    }

  public:
    Chain(const std::vector<std::tuple<std::string, int, int, int>>& program, std::vector<double> constants_,
          std::vector<std::pair<int, int>> operands_, int temporaries_, std::vector<int> results_, std::vector<long> shape_, bool single)
        : constants(std::move(constants_)),
          operands(std::move(operands_)),
          results(std::move(results_)),
          shape(shape_.begin(), shape_.end()),
          type(single ? NPY_FLOAT32 : NPY_FLOAT64),
          temporaries(temporaries_) {
        const int first = int(operands.size() + constants.size()), all = first + temporaries + int(results.size());
        for (const auto& [name, out, a, b] : program) {
            auto found = functions().find(name);
            if (found == functions().end() || (found->second.single && !single))
                throw nb::value_error("chain: a function that it does not have");
            if (out < first || out >= all || a < 0 || a >= all || (found->second.pair && (b < 0 || b >= all)))
                throw nb::value_error("chain: a place that there is not");
            steps.push_back({found->second, out, a, b});
        }
        for (auto [argument, row] : operands) {
            if (argument < 0) throw nb::value_error("chain: an argument that there is not");
            arguments = std::max(arguments, argument + 1);
        }
        for (int row : results) row < 0 ? own++ : rows = std::max(rows, row + 1);
        if (temporaries < 0 || shape.size() > NPY_MAXDIMS || results.empty()) throw nb::value_error("chain: a program that makes nothing");
        for (npy_intp s : shape) {
            if (s < 1) throw nb::value_error("chain: a shape without elements");
            n *= s;
        }
    }
    nb::object call(nb::args args) const {
        if ((int)args.size() != arguments) return decline();
        return type == NPY_FLOAT32 ? run<float>(args) : run<double>(args);
    }
    // The first two or three arguments are a product's, which is operand `place` of the chain.
    nb::object after(const std::string& name, int place, bool keep, nb::args args) const {
        const int many = name == "linear" ? 3 : 2;
        if ((int)args.size() - many + 1 != arguments || place < 0 || place >= arguments) return decline();
        const Product product{name, args[0], args[1], many == 3 ? nb::object(args[2]) : nb::none()};
        return type == NPY_FLOAT32 ? run<float>(args, &product, many, place, keep) : run<double>(args, &product, many, place, keep);
    }
    static std::vector<std::string> names(bool single) {
        std::vector<std::string> found;
        for (const auto& [name, f] : functions())
            if (single || !f.single) found.push_back(name);
        return found;
    }
};

}  // namespace

void bind_chain(nb::module_& m) {
    nb::class_<Chain>(m, "chain")
        .def(nb::init<std::vector<std::tuple<std::string, int, int, int>>, std::vector<double>, std::vector<std::pair<int, int>>, int,
                      std::vector<int>, std::vector<long>, bool>())
        .def("__call__", &Chain::call)
        .def("after", &Chain::after)
        .def_static("functions", &Chain::names);
}

}  // namespace dovetail
