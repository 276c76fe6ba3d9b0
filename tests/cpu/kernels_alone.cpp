// The native kernels without Python, against plain loops in double: for compilers and processors that the tests in Python do
// not reach. Every family, on odd sizes and addresses, in float and double, on one and two threads. Built by tools/native.py;
// DOVETAIL_CPU_ISA chooses among the instruction sets. Ends with 0 where nothing was wrong.
#include "kernels_alone.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "../../plugins/cpu/src/allocator.h"
#include "../../plugins/cpu/src/pool.h"

namespace dovetail {  // in the place of allocator.cpp, which is NumPy's as well
void* allocate(size_t bytes, bool) { return std::aligned_alloc(64, (bytes + 127) / 64 * 64); }
void release(void* p, size_t, bool) { std::free(p); }
}  // namespace dovetail

namespace {

template <class T> void check_products() {
    const long sizes[][3] = {{1, 1, 1}, {7, 5, 3}, {13, 33, 17}, {64, 70, 129}, {31, 1, 257}, {65, 131, 300}, {1, 901, 301}};
    for (const auto& [m, n, k] : sizes)
        for (int way = 0; way < 16; way++) {
            const bool a_turned = way & 1, b_turned = way & 2, add = way & 4, finished = way & 8;
            const auto a = random<T>(m * k), b = random<T>(k * n), columns = random<T>(n), rows = random<T>(m);
            const long ldc = n + 3;
            auto c = random<T>(m * ldc);
            Doubles want = c.doubles();
            for (long i = 0; i < m; i++)
                for (long j = 0; j < n; j++) {
                    double sum = add ? want[i * ldc + j] : 0;
                    for (long l = 0; l < k; l++) sum += double(a[a_turned ? l * m + i : i * k + l]) * b[b_turned ? j * k + l : l * n + j];
                    if (finished) sum = std::max(0.0, sum + columns[j] + rows[i]);
                    want[i * ldc + j] = sum;
                }
            Finish<T> finish;
            if (finished) finish = Finish<T>{columns, rows, Then::relu};
            const Matrix<T> left{a, a_turned ? 1 : k, a_turned ? m : 1}, right{b, b_turned ? 1 : n, b_turned ? k : 1};
            kernels<T>().product.product(m, n, k, left, right, c, ldc, add, finish);
            compare("product " + std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k), c, want);
        }
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double normal(double x) { return 0.5 * std::erfc(-x * std::sqrt(0.5)); }
constexpr double PI = 3.14159265358979323846;
double gelu_inner(double x) { return std::sqrt(2 / PI) * (x + 0.044715 * x * x * x); }

double one(Unary f, double x) {
    switch (f) {
    case Unary::neg:
        return -x;
    case Unary::abs:
        return std::fabs(x);
    case Unary::square:
        return x * x;
    case Unary::sqrt:
        return std::sqrt(x);
    case Unary::rsqrt:
        return 1 / std::sqrt(x);
    case Unary::reciprocal:
        return 1 / x;
    case Unary::exp:
        return std::exp(x);
    case Unary::log:
        return std::log(x);
    case Unary::tanh:
        return std::tanh(x);
    case Unary::sigmoid:
        return sigmoid(x);
    case Unary::relu:
        return x < 0 ? 0 : x;
    case Unary::silu:
        return x * sigmoid(x);
    case Unary::gelu:
        return x * normal(x);
    case Unary::gelu_tanh:
        return 0.5 * x * (1 + std::tanh(gelu_inner(x)));
    case Unary::erf:
        return std::erf(x);
    }
    return 0;
}

double two(Binary f, double a, double b) {
    const double s = sigmoid(b), t = std::tanh(gelu_inner(b)), slope = std::sqrt(2 / PI) * (1 + 3 * 0.044715 * b * b);
    switch (f) {
    case Binary::add:
        return a + b;
    case Binary::sub:
        return a - b;
    case Binary::mul:
        return a * b;
    case Binary::div:
        return a / b;
    case Binary::maximum:
        return a != a || a > b ? a : b;
    case Binary::minimum:
        return a != a || a < b ? a : b;
    case Binary::tanh_grad:
        return a * (1 - b * b);
    case Binary::sigmoid_grad:
        return a * (1 - b) * b;
    case Binary::relu_grad:
        return b <= 0 ? 0 : a;
    case Binary::silu_grad:
        return a * s * (1 + b * (1 - s));
    case Binary::gelu_grad:
        return a * (normal(b) + b * std::exp(-b * b / 2) / std::sqrt(2 * PI));
    case Binary::gelu_tanh_grad:
        return a * 0.5 * (1 + t + b * (1 - t * t) * slope);
    case Binary::cross_entropy:
        return (b - 1) * std::max(std::log1p(-a), -100.0) - b * std::max(std::log(a), -100.0);
    case Binary::cross_entropy_logits:
        return std::log1p(std::exp(-std::fabs(a))) + std::max(-a, 0.0) + (1 - b) * a;
    case Binary::squared_difference:
        return (a - b) * (a - b);
    case Binary::prelu:
        return a > 0 ? a : a * b;
    }
    return 0;
}

// double has no kernels for these
bool float_only(Unary f) { return f == Unary::gelu || f == Unary::erf; }

template <class T> void check_unary() {
    constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
    for (int f = 0; f <= int(Unary::erf); f++)
        for (long n : {1L, 7L, 103L, 70001L}) {
            const Unary function = Unary(f);
            if (sizeof(T) == 8 && float_only(function)) continue;
            const bool positive = function == Unary::log || function == Unary::sqrt || function == Unary::rsqrt;
            auto x = random<T>(n, positive ? 1e-6 : -9, 9);
            if (n > 100) x[11] = T(nan), x[42] = T(inf), x[77] = T(0);
            if (n > 100 && (function <= Unary::square || function == Unary::exp || function == Unary::tanh)) x[13] = T(-inf);
            Doubles want;
            for (double v : x.doubles()) want.push_back(one(function, v));
            Buffer<T> out(n);
            kernels<T>().pointwise.unary(function, x, out, n);
            // what is near zero by the difference of two terms has their rounding; gelu's are as large as half of its argument
            const double terms = function < Unary::silu ? 0 : function == Unary::gelu ? 4.5 : 1;
            compare("unary " + std::to_string(f), out, want, 8, terms);
        }
}

// Ways to lie beside each other: alike, one value for all, a row for all rows, a value for each row.
template <class T> void check_binary() {
    for (int f = 0; f <= int(Binary::prelu); f++)
        for (int way = 0; way < 4; way++)
            for (long n : {1L, 19L, way < 2 ? 70001L : 701L}) {
                const Binary function = Binary(f);
                if (sizeof(T) == 8 && function == Binary::gelu_grad) continue;
                const long rows = way < 2 ? 1 : 101;
                Pairing how;
                how.n = n;
                if (way >= 2) how.dims = 1, how.outer[0] = rows, how.step[0][0] = n, how.step[1][0] = way == 2 ? 0 : 1;
                if (way == 1 || way == 3) how.inner[1] = 0;
                const bool shares = function == Binary::cross_entropy || function == Binary::cross_entropy_logits;
                auto a = random<T>(rows * n, function == Binary::cross_entropy ? 0.01 : -4, function == Binary::cross_entropy ? 0.99 : 4);
                auto b = random<T>(way == 0 || way == 2 ? n : way == 1 ? 1 : rows, shares ? 0 : -4, shares ? 1 : 4);
                if (n > 18 && f <= int(Binary::minimum)) a[3] = T(NAN), b[0] = T(NAN);
                Doubles want(size_t(rows * n));
                for (long r = 0; r < rows; r++)
                    for (long i = 0; i < n; i++)
                        want[size_t(r * n + i)] = two(function, a[r * n + i], b[r * how.step[1][0] + i * how.inner[1]]);
                Buffer<T> out(rows * n);
                kernels<T>().pointwise.binary(function, how, a, b, out);
                compare("binary " + std::to_string(f) + " way " + std::to_string(way), out, want, 16, f <= int(Binary::minimum) ? 0 : 4);
            }
}

// The value of a curve at x, and its slope.
void curve(Curve f, const Shape& s, double x, double& value, double& slope) {
    const double u = x * s.a, e = std::exp(std::min(x, 0.0) * s.c), far = std::fabs(x), side = x > 0 ? 1 : x < 0 ? -1 : x;
    switch (f) {
    case Curve::leaky_relu:
        value = x > 0 ? x : u, slope = x > 0 ? 1 : s.a;
        return;
    case Curve::elu:
        value = x > 0 ? x * s.b : std::expm1(x * s.c) * s.a * s.b, slope = x > 0 ? s.b : e * s.a * s.b * s.c;
        return;
    case Curve::softplus:
        value = u > s.b ? x : std::log1p(std::exp(u)) / s.a, slope = u > s.b ? 1 : sigmoid(u);
        return;
    case Curve::logsigmoid:
        value = std::min(x, 0.0) - std::log1p(std::exp(-far)), slope = sigmoid(-x);
        return;
    case Curve::hardtanh:
        value = std::clamp(x, s.a, s.b), slope = x > s.a && x < s.b;
        return;
    case Curve::hardswish:
        value = x * std::clamp(x + 3, 0.0, 6.0) / 6, slope = x <= -3 ? 0 : x < 3 ? x / 3 + 0.5 : 1;
        return;
    case Curve::hardsigmoid:
        value = std::clamp(x + 3, 0.0, 6.0) / 6, slope = x > -3 && x < 3 ? double(1 / 6.f) : 0;
        return;
    case Curve::magnitude:
        value = far, slope = side;
        return;
    case Curve::huber:
        value = (far < s.a ? x * x / 2 : s.a * (far - s.a / 2)) / s.b, slope = (far < s.a ? x : side * s.a) / s.b;
        return;
    case Curve::softshrink:
        value = far > s.a ? x - side * s.a : 0, slope = far > s.a;
        return;
    case Curve::hardshrink:
        value = far > s.a ? x : 0, slope = far > s.a;
        return;
    case Curve::threshold:
        value = x > s.a ? x : s.b, slope = x > s.a;
    }
}

template <class T> void check_curves() {
    const Shape shapes[] = {{0.25}, {1.5, 1.25, 0.75}, {2, 12}, {}, {-1.5, 2.5}, {}, {}, {}, {0.75, 1.5}, {3}, {0.5}, {0.25, -2}};
    for (int f = 0; f <= int(Curve::threshold); f++)
        for (long n : {1L, 7L, 103L, 70001L})
            for (long step : {0L, 1L}) {
                auto x = random<T>(n, -9, 9), g = random<T>(step ? n : 1);
                if (n > 100) x[3] = T(0), x[5] = T(-90), x[6] = T(90), x[7] = T(3), x[8] = T(-3);
                Doubles values, slopes;
                for (long i = 0; i < n; i++) {
                    double value = 0, slope = 0;
                    curve(Curve(f), shapes[f], x[i], value, slope);
                    values.push_back(value), slopes.push_back(slope * double(g[i * step]));
                }
                Buffer<T> out(n), back(n);
                kernels<T>().curves.value(Curve(f), shapes[f], x, out, n);
                kernels<T>().curves.slope(Curve(f), shapes[f], g, step, x, back, n);
                compare("curve " + std::to_string(f), out, values, 16, 1), compare("slope " + std::to_string(f), back, slopes, 16, 1);
            }
}

template <class T> void check_gates() {
    const long sizes[][2] = {{1, 1}, {3, 7}, {40, 131}, {2, 40001}, {700, 66}};
    for (const auto& [outer, inner] : sizes) {
        const auto x = random<T>(outer * 2 * inner, -9, 9), g = random<T>(outer * inner);
        Doubles want, by_x(size_t(x.n));
        for (long i = 0; i < g.n; i++) {
            const long at = i / inner * 2 * inner + i % inner;
            const double a = x[at], s = sigmoid(x[at + inner]);
            want.push_back(a * s), by_x[size_t(at)] = g[i] * s, by_x[size_t(at + inner)] = g[i] * a * s * (1 - s);
        }
        Buffer<T> out(g.n), back(x.n);
        kernels<T>().curves.gate(outer, inner, x, out), kernels<T>().curves.gate_grad(outer, inner, g, x, back);
        compare("gate", out, want, 16, 1), compare("gate_grad", back, by_x, 16, 1);
    }
}

template <class T> void check_mixed() {
    for (int f = 0; f <= int(Mixed::addcdiv); f++)
        for (long n : {1L, 19L, 70001L})
            for (double scale : {0.25, 0.75}) {
                auto a = random<T>(n, 1, 4), b = random<T>(n, 1, 4), c = random<T>(n, 1, 4);
                const bool third = f >= int(Mixed::addcmul);
                Doubles want;
                for (long i = 0; i < n; i++) {
                    const double x = a[i], y = b[i], z = c[i];
                    const double each[] = {x + scale * y, x + scale * (y - x), x + scale * y * z, x + scale * y / z};
                    want.push_back(each[f]);
                }
                Buffer<T> out(n);
                kernels<T>().pointwise.mixed(Mixed(f), T(scale), a, b, third ? c.data() : nullptr, out, n);
                compare("mixed " + std::to_string(f), out, want, 8);
                kernels<T>().pointwise.mixed(Mixed(f), T(scale), a, b, third ? c.data() : nullptr, a, n);  // over its first
                compare("mixed in place " + std::to_string(f), a, want, 8);
            }
}

template <class T> void check_running_products(long outer, long n, long inner) {
    const auto x = random<T>(outer * n * inner, 0.9, 1.1), g = random<T>(x.n);
    Doubles want = x.doubles(), by_x(size_t(x.n), 0);
    for (long i = 0; i < x.n; i++)
        if (i / inner % n) want[size_t(i)] *= want[size_t(i - inner)];
    Buffer<T> out(x.n), grad(x.n);
    kernels<T>().reduce.products(outer, n, inner, x, out);
    compare("products", out, want, sizeof(T) == 4 ? 1 : double(n));
    for (long i = x.n - 1; i >= 0; i--) {  // Σ over k ≥ i of g[k] out[k], divided: no element is zero here
        const bool last = i / inner % n == n - 1;
        by_x[size_t(i)] = double(g[i]) * want[size_t(i)] + (last ? 0 : by_x[size_t(i + inner)]);
    }
    for (long i = 0; i < x.n; i++) by_x[size_t(i)] /= double(x[i]);
    kernels<T>().reduce.products_grad(outer, n, inner, g, x, grad);
    compare("products_grad", grad, by_x, sizeof(T) == 4 ? 64 : 64 * double(n));
}

template <class T> void check_reduce() {
    const long sizes[][3] = {{1, 1, 70001}, {37, 5, 1}, {9001, 9, 1}, {4, 3, 19}, {3, 70, 1001}, {1, 1, 1}};
    for (const auto& [outer, kept, inner] : sizes) {
        const auto x = random<T>(outer * kept * inner);
        Doubles want(size_t(kept), 0);
        for (long i = 0; i < x.n; i++) want[size_t(i / inner % kept)] += 0.3 * double(x[i]);
        Buffer<T> out(kept);
        kernels<T>().reduce.sum(outer, kept, inner, x, T(0.3), out);
        compare("sum", out, want, 64, std::sqrt(double(outer * inner)));
    }
    const long runs[][3] = {{1, 1, 1}, {7, 301, 1}, {1, 70001, 1}, {3, 19, 37}, {2, 5, 64}, {1, 9001, 3}};
    for (const auto& [outer, n, inner] : runs) {
        const auto x = random<T>(outer * n * inner);
        Doubles want = x.doubles();
        for (long i = 0; i < x.n; i++)
            if (i / inner % n) want[size_t(i)] += want[size_t(i - inner)];
        Buffer<T> out(x.n);
        kernels<T>().reduce.running(outer, n, inner, x, out);
        compare("running", out, want, sizeof(T) == 4 ? 1 : double(n));
        check_running_products<T>(outer, n, inner);
    }
}

template <class T> void check_classes() {
    for (long width : {1L, 10L, 37L, 1003L}) {
        const long rows = 67;
        const auto x = random<T>(rows * width, -5, 5), g = random<T>(rows * width), scale = random<T>(rows);
        Buffer<int64_t> label(rows);
        for (long r = 0; r < rows; r++) label[r] = r % 9 == 4 ? -1 : int64_t(source()() % width);
        Buffer<T> p(rows * width), logp(rows * width), by_p(rows * width), by_logp(rows * width), by_entropy(rows * width), logs(rows);
        const auto& k = kernels<T>().classes;
        k.softmax(rows, width, x, p), k.log_softmax(rows, width, x, logp);
        k.softmax_grad(rows, width, g, p, by_p), k.log_softmax_grad(rows, width, g, logp, by_logp);
        k.cross_entropy_grad(rows, width, logp, label, scale, by_entropy), k.log_sum(rows, width, x, logs);
        Doubles want[5], sums;
        for (long r = 0; r < rows; r++) {
            double total = 0, inner = 0, sum = 0;
            for (long j = r * width; j < (r + 1) * width; j++) total += std::exp(double(x[j]));
            for (long j = r * width; j < (r + 1) * width; j++) inner += std::exp(double(x[j])) / total * g[j], sum += g[j];
            sums.push_back(std::log(total));
            for (long j = 0; j < width; j++) {
                const double at = x[r * width + j], y = std::exp(at) / total, d = g[r * width + j];
                const double s = label[r] < 0 ? 0 : double(scale[r]);
                const double each[] = {y, at - std::log(total), y * (d - inner), d - y * sum, (y - (label[r] == j)) * s};
                for (int i = 0; i < 5; i++) want[i].push_back(each[i]);
            }
        }
        compare("softmax", p, want[0]), compare("log_softmax", logp, want[1], 64, 5), compare("softmax_grad", by_p, want[2]);
        compare("log_softmax_grad", by_logp, want[3]), compare("cross_entropy_grad", by_entropy, want[4], 64, 1);
        compare("log_sum", logs, sums, 64, 5);
    }
}

template <class T> void check_optim() {
    for (int way = 0; way < 16; way++) {
        const bool first = way & 1, nesterov = way & 2, maximize = way & 4, l2 = way & 8;
        for (long n : {1L, 13L, 70001L}) {
            auto p = random<T>(n), g = random<T>(n), m = random<T>(n), v = random<T>(n, 0, 1), top = random<T>(n, 0, 1);
            Buffer<T> q = p, state = m;
            const SgdRule sgd{0.1, 0.9, 0.8, l2 ? 0.01 : 0.0, nesterov, maximize};
            const AdamRule adam{0.01, 0.7, 0.9, 0.99, 1e-8, nesterov ? 0.999 : 1.0, l2 ? 0.01 : 0.0, maximize};
            Doubles sgd_p, sgd_m, adam_p, adam_m, adam_v, adam_top;
            for (long i = 0; i < n; i++) {
                const double d = (maximize ? -1 : 1) * double(g[i]), with = d + sgd.l2 * p[i];
                const double b = 0.9 * m[i] + 0.8 * with, step = first ? (nesterov ? with + 0.9 * b : b) : with;
                sgd_m.push_back(first ? b : double(m[i])), sgd_p.push_back(p[i] - 0.1 * step);
                const double a = 0.9 * m[i] + 0.1 * with, s = 0.99 * v[i] + 0.01 * with * with, most = std::max(s, double(top[i]));
                adam_m.push_back(a), adam_v.push_back(s), adam_top.push_back(first ? most : double(top[i]));
                adam_p.push_back(p[i] * adam.decay - 0.01 * a / (std::sqrt(first ? most : s) / 0.7 + 1e-8));
            }
            const Parameter<T> for_sgd{q, g, {first ? state.data() : nullptr}, n};
            const Parameter<T> for_adam{p, g, {m, v, first ? top.data() : nullptr}, n};
            kernels<T>().optim.sgd(sgd, &for_sgd, 1), kernels<T>().optim.adam(adam, &for_adam, 1);
            compare("sgd", q, sgd_p), compare("sgd momentum", state, sgd_m), compare("adam", p, adam_p, 256, 1);
            compare("adam exp_avg", m, adam_m), compare("adam exp_avg_sq", v, adam_v), compare("adam max_exp_avg_sq", top, adam_top);
        }
    }
}

template <class T> void all() {
    check_products<T>(), check_unary<T>(), check_binary<T>(), check_curves<T>(), check_gates<T>(), check_mixed<T>();
    check_moves<T>(), check_channels<T>(), check_reduce<T>(), check_classes<T>(), check_optim<T>();
    check_convolutions<T>(), check_pooling<T>(), check_norms<T>(), check_recurrent<T>(), check_attention<T>();
}

}  // namespace

int main() {
    if (!instruction_set()) return std::printf("this processor has none of the build's instruction sets\n"), 2;
    for (int count : {1, 2}) set_threads(count), all<float>(), all<double>();
    std::printf("%s: %ld checks, %ld wrong\n", instruction_set()->name, tally.checks, tally.wrong);
    return tally.wrong != 0;
}
