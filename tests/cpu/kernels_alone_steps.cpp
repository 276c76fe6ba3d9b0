// Checks of the kernels that go step by step: LSTM, GRU, attention.
#include <algorithm>
#include <array>

#include "kernels_alone.h"

namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// to (n, h) += from (n, wide) times w, which is (wide, h).
void times_weight(const double* from, const Doubles& w, long n, long wide, long h, double* to) {
    for (long r = 0; r < n; r++)
        for (long k = 0; k < wide; k++)
            for (long j = 0; j < h; j++) to[r * h + j] += from[r * wide + k] * w[size_t(k * h + j)];
}
// to (n, wide) += state (n, h) times wᵀ.
void times_turned(const double* state, const Doubles& w, long n, long wide, long h, double* to) {
    for (long r = 0; r < n; r++)
        for (long k = 0; k < wide; k++)
            for (long j = 0; j < h; j++) to[r * wide + k] += state[r * h + j] * w[size_t(k * h + j)];
}

// An LSTM of doubles. The gradients are those of Σ out · by_out + last state · by_h + last cell · by_c.
struct Lstm {
    RecurrentShape s;
    Doubles gates, w, h0, c0, out, cells, sums, by_h, by_c;
    long plane = s.n * s.hidden;

    const double* before(const Doubles& of, const Doubles& start, long i) const {
        return i ? of.data() + s.at(i - 1) * plane : start.data();
    }
    void forward() {
        const long h = s.hidden;
        out.assign(size_t(s.steps * plane), 0), cells = out;
        for (long i = 0; i < s.steps; i++) {
            const long t = s.at(i);
            double* a = gates.data() + t * 4 * plane;
            times_turned(before(out, h0, i), w, s.n, 4 * h, h, a);
            for (long r = 0; r < s.n; r++, a += 4 * h)
                for (long j = 0; j < h; j++) {
                    for (long k = 0; k < 4; k++) a[k * h + j] = k == 2 ? std::tanh(a[k * h + j]) : sigmoid(a[k * h + j]);
                    const double cell = a[h + j] * before(cells, c0, i)[r * h + j] + a[j] * a[2 * h + j];
                    cells[size_t(t * plane + r * h + j)] = cell;
                    out[size_t(t * plane + r * h + j)] = a[3 * h + j] * std::tanh(cell);
                }
        }
    }
    void backward(const Doubles& by_out) {
        const long h = s.hidden;
        sums.assign(gates.size(), 0);
        for (long i = s.steps - 1; i >= 0; i--) {
            const long t = s.at(i);
            const double* a = gates.data() + t * 4 * plane;
            double* d = sums.data() + t * 4 * plane;
            for (long r = 0; r < s.n; r++, a += 4 * h, d += 4 * h)
                for (long j = 0; j < h; j++) {
                    const size_t at = size_t(r * h + j), place = size_t(t * plane) + at;
                    const double g = by_h[at] + by_out[place], soft = std::tanh(cells[place]), in = a[j], keep = a[h + j],
                                 value = a[2 * h + j], show = a[3 * h + j], total = by_c[at] + g * show * (1 - soft * soft);
                    d[j] = total * value * in * (1 - in), d[2 * h + j] = total * in * (1 - value * value);
                    d[h + j] = total * before(cells, c0, i)[at] * keep * (1 - keep), d[3 * h + j] = g * soft * show * (1 - show);
                    by_c[at] = total * keep;
                }
            by_h.assign(by_h.size(), 0);
            times_weight(sums.data() + t * 4 * plane, w, s.n, 4 * h, h, by_h.data());
        }
    }
};

// What a layer of `wide` gates has besides its state: the input, the way (T, N) or (N, T) lies, and what belongs to it, in doubles too.
template <class T> struct Given {
    RecurrentShape s;
    long wide, width;
    Buffer<T> input, w_ih, w_hh, b_ih, b_hh, h0, by_out, by_h;
    Sequence<T> x, dy;
    Doubles from_input;  // (T, N, wide), its bias included

    Given(RecurrentShape s, long kinds, long width, bool turned, bool with_grads)
        : s(s), wide(kinds * s.hidden), width(width), input(random<T>(s.steps * s.n * width)), w_ih(random<T>(wide * width, -0.3, 0.3)),
          w_hh(random<T>(wide * s.hidden, -0.3, 0.3)), b_ih(random<T>(wide)), b_hh(random<T>(wide)), h0(random<T>(s.n * s.hidden)),
          by_out(random<T>(s.steps * s.n * s.hidden, with_grads ? -1 : 0, with_grads ? 1 : 0)),
          by_h(random<T>(s.n * s.hidden, with_grads ? -1 : 0, with_grads ? 1 : 0)), x(lying(input, width, turned)),
          dy(lying(by_out, s.hidden, turned)), from_input(size_t(s.steps * s.n * wide)) {
        if (!with_grads) dy.p = nullptr;
        for (long t = 0; t < s.steps; t++)
            for (long r = 0; r < s.n; r++)
                for (long k = 0; k < wide; k++) {
                    double sum = b_ih[k];
                    for (long c = 0; c < width; c++) sum += double(x.at(t, r)[c]) * w_ih[k * width + c];
                    from_input[size_t((t * s.n + r) * wide + k)] = sum;
                }
    }
    Sequence<T> lying(const Buffer<T>& of, long size, bool turned) const {
        return {of, size, turned ? size : s.n * size, turned ? s.steps * size : size};
    }
    Doubles by_out_in_order() const {
        Doubles all;
        const Sequence<T> from = lying(by_out, s.hidden, dy.p && dy.step == s.hidden);
        for (long t = 0; t < s.steps; t++)
            for (long r = 0; r < s.n; r++) all.insert(all.end(), from.at(t, r), from.at(t, r) + s.hidden);
        return all;
    }
};

// The gradients of a layer, and what they should be by those by the gates.
template <class T> struct Found {
    Buffer<T> x, h0, c0, w_ih, w_hh, b_ih, b_hh;
    explicit Found(const Given<T>& g)
        : x(g.input.n), h0(g.h0.n), c0(g.h0.n), w_ih(g.w_ih.n), w_hh(g.w_hh.n), b_ih(g.wide), b_hh(g.wide) {}
    RecurrentGrads<T> all() { return {x, h0, c0, w_ih, w_hh, b_ih, b_hh}; }

    void compare_rest(const std::string& name, const Given<T>& g, const Doubles& sums, const Doubles& own, const Doubles& out) const {
        const RecurrentShape& s = g.s;
        const long h = s.hidden, wide = g.wide, width = g.width;
        Doubles by_x(size_t(x.n), 0), by_w_ih(size_t(w_ih.n), 0), by_w_hh(size_t(w_hh.n), 0), by_b_ih(size_t(wide), 0), by_b_hh = by_b_ih;
        for (long i = 0; i < s.steps; i++)
            for (long r = 0; r < s.n; r++) {
                const long t = s.at(i), row = t * s.n + r;
                for (long k = 0; k < wide; k++) {
                    const double d = sums[size_t(row * wide + k)], e = own[size_t(row * wide + k)];
                    by_b_ih[size_t(k)] += d, by_b_hh[size_t(k)] += e;
                    for (long c = 0; c < width; c++) {
                        by_x[size_t(row * width + c)] += d * g.w_ih[k * width + c];
                        by_w_ih[size_t(k * width + c)] += d * g.x.at(t, r)[c];
                    }
                    for (long j = 0; j < h; j++)
                        by_w_hh[size_t(k * h + j)] += e * (i ? out[size_t((s.at(i - 1) * s.n + r) * h + j)] : double(g.h0[r * h + j]));
                }
            }
        compare(name + ", by x", x, by_x, 256), compare(name + ", by w_ih", w_ih, by_w_ih, 256);
        compare(name + ", by w_hh", w_hh, by_w_hh, 256);
        compare(name + ", by b_ih", b_ih, by_b_ih, 256), compare(name + ", by b_hh", b_hh, by_b_hh, 256);
    }
};

template <class T> void check_lstm(RecurrentShape s, long width, bool turned, bool with_grads) {
    const long plane = s.n * s.hidden, all = s.steps * plane;
    const Given<T> g(s, 4, width, turned, with_grads);
    const auto c0 = random<T>(plane), by_c = random<T>(plane);
    Lstm want{s, g.from_input, g.w_hh.doubles(), g.h0.doubles(), c0.doubles(), {}, {}, {}, g.by_h.doubles(), by_c.doubles()};
    want.forward(), want.backward(g.by_out_in_order());
    Buffer<T> out(all), cells(all), gates(4 * all);
    Found<T> found(g);
    const auto& k = kernels<T>().recurrent;
    const RecurrentLayer<T> layer{g.x, g.h0, c0, g.w_ih, g.w_hh, out};
    k.lstm(s, layer, g.b_ih, gates, out, cells);
    k.lstm_grad(s, layer, gates, cells, g.dy, with_grads ? g.by_h.data() : nullptr, by_c, found.all());
    compare("lstm, gates", gates, want.gates), compare("lstm", out, want.out), compare("lstm, cells", cells, want.cells);
    compare("lstm, by h0", found.h0, want.by_h, 256), compare("lstm, by c0", found.c0, want.by_c, 256);
    found.compare_rest("lstm", g, want.sums, want.sums, want.out);
}

// A GRU of doubles, as PyTorch has it: the reset is taken of the state's share after its bias.
struct Gru {
    RecurrentShape s;
    Doubles gates, w, bias, h0, out, inner, sums, own, by_h;
    long plane = s.n * s.hidden;

    const double* before(long i) const { return i ? out.data() + s.at(i - 1) * plane : h0.data(); }
    void forward() {
        const long h = s.hidden;
        out.assign(size_t(s.steps * plane), 0), inner = out;
        for (long i = 0; i < s.steps; i++) {
            const long t = s.at(i);
            Doubles share;
            for (long k = 0; k < 3 * plane; k++) share.push_back(bias[size_t(k % (3 * h))]);
            times_turned(before(i), w, s.n, 3 * h, h, share.data());
            for (long r = 0; r < s.n; r++)
                for (long j = 0; j < h; j++) {
                    double* a = gates.data() + t * 3 * plane + r * 3 * h + j;
                    const double* state = share.data() + r * 3 * h + j;
                    const size_t place = size_t(t * plane + r * h + j);
                    a[0] = sigmoid(a[0] + state[0]), a[h] = sigmoid(a[h] + state[h]);
                    a[2 * h] = std::tanh(a[2 * h] + a[0] * state[2 * h]), inner[place] = state[2 * h];
                    out[place] = (1 - a[h]) * a[2 * h] + a[h] * before(i)[r * h + j];
                }
        }
    }
    void backward(const Doubles& by_out) {
        const long h = s.hidden;
        sums.assign(gates.size(), 0), own = sums;
        for (long i = s.steps - 1; i >= 0; i--) {
            const long t = s.at(i);
            for (long r = 0; r < s.n; r++)
                for (long j = 0; j < h; j++) {
                    const long wide_at = t * 3 * plane + r * 3 * h + j;
                    const size_t at = size_t(r * h + j), place = size_t(t * plane) + at;
                    const double *a = gates.data() + wide_at, g = by_h[at] + by_out[place];
                    double *d = sums.data() + wide_at, *e = own.data() + wide_at;
                    d[2 * h] = g * (1 - a[h]) * (1 - a[2 * h] * a[2 * h]), e[2 * h] = d[2 * h] * a[0];
                    d[0] = e[0] = d[2 * h] * inner[place] * a[0] * (1 - a[0]);
                    d[h] = e[h] = g * (before(i)[at] - a[2 * h]) * a[h] * (1 - a[h]);
                    by_h[at] = g * a[h];
                }
            times_weight(own.data() + t * 3 * plane, w, s.n, 3 * h, h, by_h.data());
        }
    }
};

template <class T> void check_gru(RecurrentShape s, long width, bool turned, bool with_grads) {
    const long plane = s.n * s.hidden, all = s.steps * plane;
    const Given<T> g(s, 3, width, turned, with_grads);
    Gru want{s, g.from_input, g.w_hh.doubles(), g.b_hh.doubles(), g.h0.doubles(), {}, {}, {}, {}, g.by_h.doubles()};
    want.forward(), want.backward(g.by_out_in_order());
    Buffer<T> out(all), inner(all), gates(3 * all);
    Found<T> found(g);
    const auto& k = kernels<T>().recurrent;
    const RecurrentLayer<T> layer{g.x, g.h0, nullptr, g.w_ih, g.w_hh, out};
    k.gru(s, layer, g.b_ih, g.b_hh, gates, out, inner);
    k.gru_grad(s, layer, gates, inner, g.dy, with_grads ? g.by_h.data() : nullptr, found.all());
    compare("gru, gates", gates, want.gates), compare("gru", out, want.out), compare("gru, inner", inner, want.inner);
    compare("gru, by h0", found.h0, want.by_h, 256);
    found.compare_rest("gru", g, want.sums, want.own, want.out);
}

// Heads of doubles side by side, (batch, heads, rows, width).
template <class T> struct Attention {
    AttentionShape s;
    Doubles q, k, v, g, out, lse, by_q, by_k, by_v;

    bool seen(long b, long h, long i, long j) const {
        return !(s.causal && j > i) && !(s.mask.p && !s.mask.at(b, h, i)[j * s.mask.column]);
    }
    // By what dropout multiplies a weight.
    double left(long b, long h, long i, long j) const { return s.kept.p ? s.kept.at(b, h, i)[j * s.kept.column] / s.keep : 1; }
    // One query of one head: results and what it adds to the gradients.
    void query(long b, long h, long i) {
        const long head = b * s.heads + h, row = head * s.queries + i, e = s.width, ev = s.value_width;
        const double *at_q = q.data() + row * e, *at_k = k.data() + head * s.keys * e, *at_v = v.data() + head * s.keys * ev;
        Doubles p(size_t(s.keys), 0);
        double total = 0, inner = 0;
        for (long j = 0; j < s.keys; j++) {
            double score = 0;
            for (long c = 0; c < e; c++) score += at_q[c] * at_k[j * e + c];
            const double more = s.bias.p ? double(s.bias.of<T>().at(b, h, i)[j * s.bias.column]) : 0;
            total += p[size_t(j)] = seen(b, h, i, j) ? std::exp(score * s.scale + more) : 0;
        }
        lse.push_back(total == 0 ? std::numeric_limits<double>::infinity() : std::log(total));
        for (double& x : p) x = total == 0 ? 0 : x / total;
        for (long c = 0; c < ev; c++) {
            double y = 0;
            for (long j = 0; j < s.keys; j++) y += p[size_t(j)] * left(b, h, i, j) * at_v[j * ev + c];
            out.push_back(y), inner += y * g[size_t(row * ev + c)];
        }
        for (long j = 0; j < s.keys; j++) {
            double by_p = 0;
            for (long c = 0; c < ev; c++) {
                by_p += g[size_t(row * ev + c)] * left(b, h, i, j) * at_v[j * ev + c];
                by_v[size_t((head * s.keys + j) * ev + c)] += p[size_t(j)] * left(b, h, i, j) * g[size_t(row * ev + c)];
            }
            const double slope = p[size_t(j)] * (by_p - inner) * s.scale;
            for (long c = 0; c < e; c++)
                by_q[size_t(row * e + c)] += slope * at_k[j * e + c], by_k[size_t((head * s.keys + j) * e + c)] += slope * at_q[c];
        }
    }
    void run() {
        by_q.assign(q.size(), 0), by_k.assign(k.size(), 0), by_v.assign(v.size(), 0);
        for (long b = 0; b < s.batch; b++)
            for (long h = 0; h < s.heads; h++)
                for (long i = 0; i < s.queries; i++) query(b, h, i);
    }
};

// Heads side by side, or as they lie where a model's width was split: rows of all heads.
template <class T, class B> Heads<T> heads(B& p, const AttentionShape& s, long rows, long width, bool split) {
    return split ? Heads<T>{p, rows * s.heads * width, width, s.heads * width} : Heads<T>{p, s.heads * rows * width, rows * width, width};
}
// The elements of a buffer of heads that lie split, in the order of those that lie side by side; and itself otherwise.
template <class T> Buffer<T> side_by_side(const Buffer<T>& x, const AttentionShape& s, long rows, long width, bool split) {
    if (!split) return x;
    Buffer<T> to = x;  // its guards as well
    for (long i = 0; i < x.n; i++) {
        const long c = i % width, r = i / width % rows, h = i / width / rows % s.heads, b = i / width / rows / s.heads;
        to[i] = x[((b * rows + r) * s.heads + h) * width + c];
    }
    return to;
}

template <class T> void check_heads(AttentionShape s, bool masked, bool split, bool more) {
    const long of_q = s.batch * s.heads * s.queries, of_k = s.batch * s.heads * s.keys, e = s.width, ev = s.value_width;
    const auto q = random<T>(of_q * e), k = random<T>(of_k * e), v = random<T>(of_k * ev), g = random<T>(of_q * ev);
    std::vector<uint8_t> mask(size_t(s.batch * s.queries * s.keys));
    for (uint8_t& m : mask) m = source()() % 3 != 0;
    std::fill_n(mask.begin(), s.keys, uint8_t(0));  // a query that sees nothing
    if (masked) s.mask = {mask.data(), s.queries * s.keys, 0, s.keys, 1};
    const auto bias = random<T>(s.heads * s.keys);
    std::vector<uint8_t> kept(size_t(of_q * s.keys));
    for (uint8_t& m : kept) m = source()() % 4 != 0;
    if (more) s.bias = {bias.data(), 0, s.keys, 0, 1}, s.kept = {kept.data(), s.heads * s.queries * s.keys, s.queries * s.keys, s.keys, 1};
    s.keep = 0.75;
    auto sorted = [&](const Buffer<T>& x, long rows, long width) { return side_by_side(x, s, rows, width, split); };
    Attention<T> want{s,
                   sorted(q, s.queries, e).doubles(),
                   sorted(k, s.keys, e).doubles(),
                   sorted(v, s.keys, ev).doubles(),
                   sorted(g, s.queries, ev).doubles(),
                   {},
                   {},
                   {},
                   {},
                   {}};
    want.run();
    Buffer<T> out(of_q * ev), lse(of_q), by_q(of_q * e), by_k(of_k * e), by_v(of_k * ev);
    const auto at_q = heads<const T>(q, s, s.queries, e, split), at_k = heads<const T>(k, s, s.keys, e, split);
    const auto at_v = heads<const T>(v, s, s.keys, ev, split), at_g = heads<const T>(g, s, s.queries, ev, split);
    const auto& f = kernels<T>().attention;
    f.forward(s, at_q, at_k, at_v, heads<T>(out, s, s.queries, ev, split), lse);
    f.backward(s, at_g, at_q, at_k, at_v, heads<const T>(out, s, s.queries, ev, split), lse, heads<T>(by_q, s, s.queries, e, split),
               heads<T>(by_k, s, s.keys, e, split), heads<T>(by_v, s, s.keys, ev, split));
    compare("attention", sorted(out, s.queries, ev), want.out), compare("attention, log-sum-exp", lse, want.lse, 64, 1);
    compare("attention, by q", sorted(by_q, s.queries, e), want.by_q, 256, 0.3);
    compare("attention, by k", sorted(by_k, s.keys, e), want.by_k, 256, 0.3);
    compare("attention, by v", sorted(by_v, s.keys, ev), want.by_v, 256, 0.3);
}

}  // namespace

template <class T> void check_recurrent() {
    for (bool reverse : {false, true})
        // The last two go all on the way, in several parts and with more rows than are collected at a time.
        for (const auto& [steps, n, width, hidden] :
             {std::array{5L, 1L, 3L, 5L}, {5L, 3L, 4L, 16L}, {5L, 4L, 40L, 6L}, {23L, 17L, 7L, 33L}, {3L, 150L, 33L, 9L}})
            for (bool turned : {false, true}) {
                check_lstm<T>({steps, n, hidden, reverse}, width, turned, turned != reverse);
                check_gru<T>({steps, n, hidden, reverse}, width, turned, turned != reverse);
            }
}

template <class T> void check_attention() {
    for (bool causal : {false, true})
        for (bool masked : {false, true})
            for (bool split : {false, true})
                for (bool more : {false, true}) {
                    check_heads<T>({1, 1, 3, 5, 4, 4, 0.5, causal, {}, {}, 1, {}}, masked, split, more);
                    check_heads<T>({2, 3, 131, 61, 7, 9, 0.4, causal, {}, {}, 1, {}}, masked, split, more);
                }
}

#define INSTANCE(T)                     \
    template void check_recurrent<T>(); \
    template void check_attention<T>();
INSTANCE(float)
INSTANCE(double)
