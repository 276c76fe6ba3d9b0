// Checks of what moves elements: copies in another order, borders, triangles, what an index picks; and of softmax over channels.
#include <algorithm>
#include <array>
#include <numeric>

#include "kernels_alone.h"

namespace {

// A contiguous array's dimensions in every order.
template <class T> void check_orders(std::array<long, 3> size) {
    const auto x = random<T>(size[0] * size[1] * size[2]);
    const std::array<long, 3> from{size[1] * size[2], size[2], 1};
    std::array<int, 3> order{0, 1, 2};
    do {
        Route r;
        r.dims = 3;
        long to = x.n;
        for (int d = 0; d < 3; d++)
            r.size[d] = size[size_t(order[size_t(d)])], r.from[d] = from[size_t(order[size_t(d)])], r.to[d] = to /= r.size[d];
        Doubles want;
        for (long a = 0; a < r.size[0]; a++)
            for (long b = 0; b < r.size[1]; b++)
                for (long c = 0; c < r.size[2]; c++) want.push_back(double(x[a * r.from[0] + b * r.from[1] + c * r.from[2]]));
        Buffer<T> out(x.n);
        kernels<T>().rearrange.copy(r, x, out);
        compare("copy", out, want, 0);
    } while (std::next_permutation(order.begin(), order.end()));
}

template <class T> void check_triangles(long count, long rows, long columns) {
    const auto x = random<T>(count * rows * columns);
    for (long diagonal : {-1000L, -3L, 0L, 5L, 1000L})
        for (bool upper : {false, true}) {
            Doubles want = x.doubles();
            for (long i = 0; i < x.n; i++) {
                const long beyond = i % columns - i / columns % rows - diagonal;
                if (upper ? beyond < 0 : beyond > 0) want[size_t(i)] = 0;
            }
            Buffer<T> out(x.n);
            kernels<T>().rearrange.triangle(count, rows, columns, diagonal, upper, x, out);
            compare("triangle", out, want, 0);
        }
}

// Two rows before and one behind, three columns before and two behind; what is not reflected is a number, or nothing.
template <class T> void check_borders(long blocks, long rows, long columns) {
    for (bool reflected : {false, true}) {
        std::vector<int64_t> row, place;
        const auto fill = [&](std::vector<int64_t>& all, long n, long before, long after) {
            for (long i = -before; i < n + after; i++) {
                const long at = n - 1 - std::abs(n - 1 - std::abs(i));
                all.push_back(i >= 0 && i < n ? i : reflected ? at : -1);
            }
        };
        fill(row, rows, 2, 1), fill(place, columns, 3, 2);
        const Padding p{blocks, rows + 3, columns + 5, rows, columns, 3, columns + 3, row.data(), place.data()};
        const auto x = random<T>(blocks * rows * columns), g = random<T>(blocks * p.rows * p.width);
        Doubles want, back(size_t(x.n), 0);
        for (long i = 0; i < g.n; i++) {
            const long r = row[size_t(i / p.width % p.rows)], c = place[size_t(i % p.width)];
            const long at = (i / p.width / p.rows * rows + r) * columns + c;
            want.push_back(r < 0 || c < 0 ? 0.25 : double(x[at]));
            if (reflected) back[size_t(at)] += double(g[i]);
        }
        Buffer<T> out(g.n), grad(x.n);
        kernels<T>().rearrange.pad(p, T(0.25), x, out);
        compare("pad", out, want, 0);
        if (!reflected) continue;
        kernels<T>().rearrange.pad_grad(p, g, grad);
        compare("pad_grad", grad, back);
    }
}

// One index for a row, one for each element, or one for all of the outer ones.
template <class T> void check_picks(long outer, long n, long inner, long size, int way) {
    const Picks p{outer, n, inner, size, {way == 1 ? n * inner : 0, way == 1 ? inner : 1, way == 1 ? 1 : 0}};
    const auto x = random<T>(outer * size * inner), g = random<T>(outer * n * inner);
    Buffer<int64_t> index(way == 1 ? g.n : n);
    for (long i = 0; i < index.n; i++) index[i] = int64_t(source()() % (unsigned long)size);
    Doubles want, added(size_t(x.n), 2), written(size_t(x.n), 2), most(size_t(x.n), 0.125), least(size_t(x.n), 0.125), times(size_t(x.n), 2);
    for (long i = 0; i < g.n; i++) {
        const long o = i / (n * inner), k = i / inner % n, j = i % inner;
        const long at = (o * size + index[o * p.step[0] + k * p.step[1] + j * p.step[2]]) * inner + j;
        want.push_back(double(x[at])), added[size_t(at)] += 0.5 * double(g[i]), written[size_t(at)] = double(g[i]);
        most[size_t(at)] = std::max(most[size_t(at)], double(g[i])), least[size_t(at)] = std::min(least[size_t(at)], double(g[i]));
        times[size_t(at)] *= double(g[i]);
    }
    Buffer<T> out(g.n), to(x.n, 2), over(x.n, 2), high(x.n, 0.125), low(x.n, 0.125), by(x.n, 2);
    kernels<T>().picking.take(p, x, index, out);
    kernels<T>().picking.give(p, Giving::add, g, index, T(0.5), to);
    kernels<T>().picking.give(p, Giving::write, g, index, T(1), over);
    kernels<T>().picking.give(p, Giving::most, g, index, T(1), high);
    kernels<T>().picking.give(p, Giving::least, g, index, T(1), low);
    kernels<T>().picking.give(p, Giving::times, g, index, T(1), by);
    compare("give, the greatest", high, most, 0), compare("give, the least", low, least, 0), compare("give, products", by, times, 1024);
    compare("take", out, want, 0), compare("give, adding", to, added), compare("give, writing", over, written, 0);
}

}  // namespace

template <class T> void check_moves() {
    for (const auto& size : {std::array<long, 3>{1, 1, 1}, {3, 5, 7}, {16, 32, 64}, {2, 67, 130}, {33, 3, 41}, {5, 300, 1}}) check_orders<T>(size);
    check_triangles<T>(1, 1, 1), check_triangles<T>(3, 7, 19), check_triangles<T>(1, 300, 131), check_triangles<T>(2, 40, 3);
    check_borders<T>(1, 3, 4), check_borders<T>(7, 5, 37), check_borders<T>(3, 60, 200);
    const long sizes[][4] = {{1, 31, 1, 7}, {1, 301, 131, 23}, {5, 19, 3, 4}, {7, 5, 40, 3}, {40, 9, 1, 5}, {300, 70, 1, 90}};
    for (const auto& [outer, n, inner, size] : sizes)
        for (int way : {0, 1}) check_picks<T>(outer, n, inner, size, way);
}

template <class T> void check_channels() {
    const long sizes[][3] = {{1, 1, 2}, {2, 5, 3}, {3, 21, 67}, {2, 64, 300}, {40, 3, 130}};
    for (const auto& [outer, n, inner] : sizes) {
        const auto x = random<T>(outer * n * inner, -3, 3), g = random<T>(x.n), scale = random<T>(outer * inner);
        Buffer<int64_t> label(outer * inner);
        for (long i = 0; i < label.n; i++) label[i] = i % 9 == 4 ? -1 : int64_t(source()() % (unsigned long)n);
        Buffer<T> p(x.n), logp(x.n), by_p(x.n), by_logp(x.n), by_entropy(x.n), logs(outer * inner);
        const auto& k = kernels<T>().channels;
        k.softmax(outer, n, inner, x, p), k.log_softmax(outer, n, inner, x, logp);
        k.softmax_grad(outer, n, inner, g, p, by_p), k.log_softmax_grad(outer, n, inner, g, logp, by_logp);
        k.cross_entropy_grad(outer, n, inner, logp, label, scale, by_entropy), k.log_sum(outer, n, inner, x, logs);
        Doubles want[5], sums;
        for (auto& one : want) one.resize(size_t(x.n));
        for (long o = 0; o < outer; o++)
            for (long j = 0; j < inner; j++) {
                double total = 0, inside = 0, sum = 0;
                const auto at = [&, o = o, j = j](long c) { return (o * n + c) * inner + j; };
                for (long c = 0; c < n; c++) total += std::exp(double(x[at(c)]));
                for (long c = 0; c < n; c++) inside += std::exp(double(x[at(c)])) / total * g[at(c)], sum += g[at(c)];
                sums.push_back(std::log(total));
                for (long c = 0; c < n; c++) {
                    const double v = x[at(c)], y = std::exp(v) / total, d = g[at(c)], s = scale[o * inner + j];
                    const int64_t own = label[o * inner + j];
                    const double each[] = {y, v - std::log(total), y * (d - inside), d - y * sum, own < 0 ? 0 : (y - (own == c)) * s};
                    for (int i = 0; i < 5; i++) want[i][size_t(at(c))] = each[i];
                }
            }
        compare("softmax of channels", p, want[0]), compare("log_softmax of channels", logp, want[1], 64, 5);
        compare("softmax_grad of channels", by_p, want[2]), compare("log_softmax_grad of channels", by_logp, want[3]);
        compare("cross_entropy_grad of channels", by_entropy, want[4], 64, 1), compare("log_sum of channels", logs, sums, 64, 5);
    }
}

#define INSTANCE(T)                  \
    template void check_moves<T>(); \
    template void check_channels<T>();
INSTANCE(float)
INSTANCE(double)
