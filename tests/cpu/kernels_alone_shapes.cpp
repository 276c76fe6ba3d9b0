// Checks of the kernels on images: convolutions on each of their ways, pooling, norms, reading between pixels.
#include <algorithm>

#include "kernels_alone.h"

namespace {

// Call f(place in x, place in the weight, place in y) for every product of a convolution.
template <class F> void each_product(const ConvShape& s, F&& f) {
    const long from = s.c / s.groups, to = s.o / s.groups;
    for (long y = 0; y < s.n * s.o * s.points(); y++) {
        const long x_out = y % s.ow, y_out = y / s.ow % s.oh, o = y / s.points() % s.o, image = y / s.points() / s.o;
        for (long k = 0; k < from * s.taps(); k++) {
            const long kj = k % s.kw, ki = k / s.kw % s.kh, c = o / to * from + k / s.taps();
            const long row = y_out * s.sh - s.ph + ki * s.dh, column = x_out * s.sw - s.pw + kj * s.dw;
            if (row < 0 || row >= s.h || column < 0 || column >= s.w) continue;
            f(((image * s.c + c) * s.h + row) * s.w + column, o * from * s.taps() + k, y);
        }
    }
}

template <class T> void check_convolution(const char* what, ConvShape s, double units = 128) {
    s.oh = (s.h + 2 * s.ph - s.dh * (s.kh - 1) - 1) / s.sh + 1, s.ow = (s.w + 2 * s.pw - s.dw * (s.kw - 1) - 1) / s.sw + 1;
    const long places = s.n * s.c * s.h * s.w, weights = s.o * s.c / s.groups * s.taps(), results = s.n * s.o * s.points();
    const auto x = random<T>(places), w = random<T>(weights), bias = random<T>(s.o), dy = random<T>(results);
    Doubles y(size_t(results), 0), y_bias, dx(size_t(places), 0), dw(size_t(weights), 0);
    each_product(s, [&](long i, long j, long k) {
        y[size_t(k)] += double(x[i]) * w[j], dx[size_t(i)] += double(dy[k]) * w[j], dw[size_t(j)] += double(x[i]) * dy[k];
    });
    for (long k = 0; k < results; k++) y_bias.push_back(y[size_t(k)] + bias[k / s.points() % s.o]);
    Buffer<T> plain(results), with_bias(results), by_input(places), by_weight(weights);
    const auto& k = kernels<T>().conv;
    k.forward(s, x, w, nullptr, plain), k.forward(s, x, w, bias, with_bias);
    k.input_grad(s, dy, w, by_input), k.weight_grad(s, x, dy, by_weight);
    const std::string name = std::string("convolution, ") + what;
    compare(name, plain, y, units), compare(name + ", bias", with_bias, y_bias, units);
    compare(name + ", input_grad", by_input, dx, units), compare(name + ", weight_grad", by_weight, dw, units);
}

// What comes in through the windows of a pooling: call f(place in the plane) for the taps of a window that lie inside.
template <class F> void each_tap(const PoolShape& s, long window, F&& f) {
    for (long k = 0; k < s.kd * s.kh * s.kw; k++) {
        const long slice = window / (s.oh * s.ow) * s.sd - s.pd + k / (s.kh * s.kw) * s.dd;
        const long row = window / s.ow % s.oh * s.sh - s.ph + k / s.kw % s.kh * s.dh, column = window % s.ow * s.sw - s.pw + k % s.kw * s.dw;
        if (slice >= 0 && slice < s.d && row >= 0 && row < s.h && column >= 0 && column < s.w) f((slice * s.h + row) * s.w + column);
    }
}

template <class T> void check_pool(PoolShape s) {
    s.oh = (s.h + 2 * s.ph - s.dh * (s.kh - 1) - 1) / s.sh + 1, s.ow = (s.w + 2 * s.pw - s.dw * (s.kw - 1) - 1) / s.sw + 1;
    s.od = (s.d + 2 * s.pd - s.dd * (s.kd - 1) - 1) / s.sd + 1;
    const long plane = s.d * s.h * s.w, windows = s.od * s.oh * s.ow;
    auto x = random<T>(s.planes * plane);
    for (long i = 0; i < x.n; i++) x[i] = T(std::round(double(x[i]) * 8) / 8);  // the greatest is often there twice
    x[plane / 2] = T(NAN);
    const auto g = random<T>(s.planes * windows), counts = random<T>(windows, 1, 9);
    Doubles most, most_grad(size_t(x.n), 0), mean[2], mean_grad[2] = {most_grad, most_grad};
    for (long i = 0; i < s.planes * windows; i++) {
        const long start = i / windows * plane;
        long best = -1;
        double sum = 0;
        each_tap(s, i % windows, [&](long at) {
            const double v = x[start + at], before = best < 0 ? 0 : double(x[best]);
            if (best < 0 || (before == before && (v > before || v != v))) best = start + at;
            sum += v;
        });
        most.push_back(x[best]), most_grad[size_t(best)] += g[i];
        const double by[] = {6, double(counts[i % windows])};
        for (int k = 0; k < 2; k++) {
            mean[k].push_back(sum / by[k]);
            each_tap(s, i % windows, [&](long at) { mean_grad[k][size_t(start + at)] += g[i] / by[k]; });
        }
    }
    const auto& k = kernels<T>().pooling;
    Buffer<T> out(s.planes * windows), back(x.n);
    k.max(s, x, out), k.max_grad(s, g, x, out, back);
    compare("max pooling", out, most, 0), compare("max pooling, gradient", back, most_grad);
    for (int by = 0; by < 2 && s.d == 1; by++) {
        Buffer<T> average(s.planes * windows), average_back(x.n);
        const T* divisors = by ? counts.data() : nullptr;
        k.average(s, x, T(6), divisors, average), k.average_grad(s, g, T(6), divisors, average_back);
        compare("average pooling", average, mean[by]), compare("average pooling, gradient", average_back, mean_grad[by]);
    }
}

// Batch norm's statistics over (N, L) of a channel, and its gradients.
template <class T> void check_batch_norm(long n, long c, long l, bool affine) {
    const double eps = 1e-3, count = double(n * l);
    const auto x = random<T>(n * c * l), g = random<T>(n * c * l), weight = random<T>(c), bias = random<T>(c);
    const T *w = affine ? weight.data() : nullptr, *b = affine ? bias.data() : nullptr;
    Doubles mean(size_t(c), 0), var(mean), slope(mean), level(mean), out, back, shifted;
    auto channel = [&](long i) { return size_t(i / l % c); };
    for (long i = 0; i < x.n; i++) mean[channel(i)] += x[i] / count;
    for (long i = 0; i < x.n; i++) var[channel(i)] += std::pow(x[i] - mean[channel(i)], 2) / count;
    auto normal = [&](long i) { return (x[i] - mean[channel(i)]) / std::sqrt(var[channel(i)] + eps); };
    for (long i = 0; i < x.n; i++) slope[channel(i)] += g[i] * normal(i), level[channel(i)] += g[i];
    for (long i = 0; i < x.n; i++) {
        const size_t at = channel(i);
        const double scale = affine ? double(weight[long(at)]) : 1, shift = affine ? double(bias[long(at)]) : 0;
        out.push_back(normal(i) * scale + shift), shifted.push_back(double(x[i]) * weight[long(at)] + bias[long(at)]);
        back.push_back((g[i] - level[at] / count - normal(i) * slope[at] / count) * scale / std::sqrt(var[at] + eps));
    }
    const auto& k = kernels<T>().norm;
    Buffer<T> y(x.n), m(c), v(c), by_x(x.n), by_w(c), by_b(c), by_w2(c), by_b2(c), moved(x.n);
    k.batch(n, c, l, x, w, b, T(eps), y, m, v), k.batch_grad(n, c, l, g, x, w, m, v, T(eps), by_x, by_w, by_b);
    k.batch_grad(n, c, l, g, x, w, m, v, T(eps), nullptr, by_w2, by_b2), k.scale_shift(n, c, l, x, weight, bias, moved);
    compare("batch norm", y, out), compare("batch norm, mean", m, mean, 64, 1), compare("batch norm, var", v, var);
    compare("batch norm, by input", by_x, back, 64, 1), compare("batch norm, by weight", by_w, slope, 64, std::sqrt(count));
    compare("batch norm, by bias", by_b, level, 64, std::sqrt(count)), compare("scale_shift", moved, shifted);
    compare("batch norm, sums alone", by_w2, slope, 64, std::sqrt(count));
    compare("batch norm, sums alone", by_b2, level, 64, std::sqrt(count));
}

// Layer norm, and RMS norm where `centred` is false.
template <class T> void check_layer_norm(long rows, long width, bool affine, bool centred) {
    const double eps = 1e-3, wide = double(width);
    const auto x = random<T>(rows * width), g = random<T>(rows * width), weight = random<T>(width), bias = random<T>(width);
    const T *w = affine ? weight.data() : nullptr, *b = affine ? bias.data() : nullptr;
    Doubles mean, rstd, out, back, slope(size_t(width), 0), level(size_t(width), 0);
    for (long r = 0; r < rows; r++) {
        const T *p = x + r * width, *d = g + r * width;
        double m = 0, v = 0, sum = 0, tilt = 0;
        for (long j = 0; j < width && centred; j++) m += p[j] / wide;
        for (long j = 0; j < width; j++) v += (p[j] - m) * (p[j] - m) / wide;
        const double s = 1 / std::sqrt(v + eps);
        auto scaled = [&](long j) { return d[j] * (affine ? double(weight[j]) : 1); };
        for (long j = 0; j < width; j++) {
            const double h = (p[j] - m) * s;
            out.push_back(h * (affine ? double(weight[j]) : 1) + (affine ? double(bias[j]) : 0));
            sum += centred ? scaled(j) / wide : 0, tilt += scaled(j) * h / wide;
            slope[size_t(j)] += d[j] * h, level[size_t(j)] += d[j];
        }
        for (long j = 0; j < width; j++) back.push_back((scaled(j) - sum - (p[j] - m) * s * tilt) * s);
        mean.push_back(m), rstd.push_back(s);
    }
    Buffer<T> y(x.n), m(rows), s(rows), by_x(x.n), by_w(width), by_b(width);
    T* means = centred ? m.data() : nullptr;
    kernels<T>().norm.layer(rows, width, x, w, b, T(eps), y, means, s);
    kernels<T>().norm.layer_grad(rows, width, g, x, w, means, s, by_x, by_w, by_b);
    if (centred) compare("layer norm, mean", m, mean, 64, 1);
    compare("layer norm", y, out, 256), compare("layer norm, rstd", s, rstd), compare("layer norm, by input", by_x, back, 256);
    compare("layer norm, by weight", by_w, slope, 256, std::sqrt(double(rows)));
    compare("layer norm, by bias", by_b, level, 64, std::sqrt(double(rows)));
}

}  // namespace

template <class T> void check_convolutions() {
    //                                              n  c   h   w   o  oh ow kh kw sh sw ph pw dh dw groups
    check_convolution<T>("direct", ConvShape{2, 3, 9, 11, 5, 0, 0, 3, 3, 1, 1, 1, 1, 1, 1, 1, false});
    check_convolution<T>("direct, in unlike steps", ConvShape{5, 6, 17, 23, 9, 0, 0, 2, 4, 3, 2, 2, 1, 1, 2, 3, false});
    check_convolution<T>("direct, steps wider than the kernel", ConvShape{4, 4, 11, 13, 3, 0, 0, 2, 2, 3, 3, 0, 1, 1, 1, 1, false});
    check_convolution<T>("direct, a tall image in parts", ConvShape{1, 2, 150, 33, 4, 0, 0, 3, 3, 1, 1, 1, 1, 1, 1, 1, false});
    check_convolution<T>("columns gathered", ConvShape{1, 40, 5, 5, 200, 0, 0, 3, 3, 1, 1, 1, 1, 1, 1, 1, false});
    check_convolution<T>("columns of runs", ConvShape{1, 6, 20, 20, 96, 0, 0, 3, 3, 1, 1, 3, 3, 3, 3, 1, false});
    check_convolution<T>("groups, steps, dilation", ConvShape{2, 4, 13, 9, 6, 0, 0, 5, 3, 2, 1, 2, 0, 1, 2, 2, false});
    check_convolution<T>("1x1", ConvShape{2, 7, 6, 5, 9, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 1, false});
    check_convolution<T>("1x1 in steps", ConvShape{1, 33, 15, 13, 40, 0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 1, false});
    check_convolution<T>("one dimension", ConvShape{3, 5, 1, 19, 4, 0, 0, 1, 5, 1, 1, 0, 2, 1, 2, 1, false});
    check_convolution<T>("many columns", ConvShape{3, 19, 23, 29, 33, 0, 0, 3, 3, 2, 2, 1, 1, 1, 1, 1, false});
    check_convolution<T>("depthwise", ConvShape{2, 6, 11, 37, 6, 0, 0, 3, 3, 1, 1, 1, 1, 1, 1, 6, false});
    check_convolution<T>("depthwise in steps", ConvShape{2, 5, 12, 21, 5, 0, 0, 3, 3, 2, 2, 1, 1, 1, 1, 5, false});
    check_convolution<T>("depthwise, twice", ConvShape{1, 5, 14, 17, 10, 0, 0, 5, 5, 1, 1, 2, 4, 1, 2, 5, false});
    const double loose = 2048;  // of a float's roundings: the transforms add some
    check_convolution<T>("Winograd", ConvShape{2, 17, 13, 10, 19, 0, 0, 3, 3, 1, 1, 1, 1, 1, 1, 1, true}, loose);
    check_convolution<T>("Winograd, no border", ConvShape{1, 16, 9, 31, 33, 0, 0, 3, 3, 1, 1, 0, 0, 1, 1, 1, true}, loose);
    check_convolution<T>("Winograd, wide border", ConvShape{3, 20, 8, 7, 16, 0, 0, 3, 3, 1, 1, 2, 2, 1, 1, 1, true}, loose);
    check_convolution<T>("Winograd, by panels", ConvShape{1, 131, 11, 12, 129, 0, 0, 3, 3, 1, 1, 1, 1, 1, 1, 1, true}, loose);
    check_convolution<T>("Winograd, by tiles", ConvShape{1, 128, 12, 11, 128, 0, 0, 3, 3, 1, 1, 1, 1, 1, 1, 1, true}, loose);
    check_convolution<T>("few tiles", ConvShape{1, 130, 5, 6, 130, 0, 0, 3, 3, 1, 1, 1, 1, 1, 1, 1, true}, loose);
}

// Each way of saying where pixels come from, with a fill and without; some places are outside, far away or no number.
template <class T> void check_warp(long planes, long h, long w, long oh, long ow) {
    const auto image = random<T>(planes * h * w), fill = random<T>(planes);
    auto grid = random<T>(oh * ow * 2, -1.5, 1.5);
    if (oh * ow > 4) grid[1] = T(NAN), grid[4] = T(INFINITY), grid[7] = T(-1e30);
    const double of_w = 1 / double(w), of_h = 1 / double(h);
    const T numbers[9] = {T(1.8 * of_w), T(0.4 * of_w), T(0.1), T(-0.3 * of_h), T(2.2 * of_h), T(-0.2), T(0.001), T(-0.002), T(1)};
    const T *none = nullptr, *some = grid.data(), *every = fill.data();
    for (const T* places : {none, some})
        for (const T* colours : {none, every}) {
            const Warp<T> s{planes, h, w, oh, ow, numbers, T(1 - ow) / 2, T(1 - oh) / 2, T(0), places, colours};
            Doubles want;
            for (long i = 0; i < planes * oh * ow; i++) {
                const long p = i / (oh * ow), at = i % (oh * ow);
                const T along = T(at % ow) + s.x0, down = T(at / ow) + s.y0, divisor = along * numbers[6] + down * numbers[7] + numbers[8];
                const T x = places ? grid[2 * at] : (along * numbers[0] + down * numbers[1] + numbers[2]) / divisor;
                const T y = places ? grid[2 * at + 1] : (along * numbers[3] + down * numbers[4] + numbers[5]) / divisor;
                const double column = (double(x) + 1) * double(w) / 2 - 0.5, row = (double(y) + 1) * double(h) / 2 - 0.5;
                double sum = 0, cover = 0;
                for (long r = 0; r < h; r++)
                    for (long c = 0; c < w; c++) {
                        const double near = std::max(0.0, 1 - std::fabs(row - double(r))) * std::max(0.0, 1 - std::fabs(column - double(c)));
                        if (near > 0) sum += near * double(image[p * h * w + r * w + c]), cover += near;
                    }
                want.push_back(colours ? sum * cover + (1 - cover) * double(fill[p]) : sum);
            }
            Buffer<T> out(planes * oh * ow);
            kernels<T>().warp.between(s, image, out);
            compare(places ? "reading at a grid" : "reading by a matrix", out, want, 4096);
        }
}

// Each padding, with a gradient by the image and by the grid; some places are outside, at the edge, or no number.
template <class T> void check_sampler(long n, long c, long h, long w, long oh, long ow) {
    const auto image = random<T>(n * c * h * w), g = random<T>(n * c * oh * ow);
    auto grid = random<T>(n * oh * ow * 2, -1.9, 1.9);
    for (Outside outside : {Outside::zeros, Outside::border, Outside::reflection})
        for (bool corners : {false, true}) {
            const Sampler<T> s{n, c, h, w, oh, ow, image, grid, false, outside, corners};
            Doubles want, by_image(size_t(n * c * h * w), 0), by_grid(size_t(n * oh * ow * 2), 0);
            const auto into = [&](double v, long size, double& moves) {
                const double last = double(size - 1), span = corners ? last : double(size), low = corners ? 0 : -0.5;
                moves = span / 2, v = (v + 1) * span / 2 + low;
                if (outside == Outside::zeros) return v;
                for (int k = 0; outside == Outside::reflection && span > 0 && (v < low || v > low + span) && k < 64; k++)
                    v = v < low ? 2 * low - v : 2 * (low + span) - v, moves = -moves;
                if (span == 0 || !(v > 0 && v < last)) moves = 0;
                return std::min(std::max(v, 0.0), last);
            };
            want.assign(size_t(n * c * oh * ow), 0);
            for (long i = 0; i < n; i++)
                for (long k = 0; k < oh * ow; k++) {
                    double along, down;
                    const long place = i * oh * ow + k;
                    const double x = into(double(grid[2 * place]), w, along), y = into(double(grid[2 * place + 1]), h, down);
                    const long left = long(std::floor(x)), top = long(std::floor(y));
                    for (long q = 0; q < c; q++)
                        for (long corner = 0; corner < 4; corner++) {
                            const long column = left + corner % 2, row = top + corner / 2;
                            if (column < 0 || column >= w || row < 0 || row >= h) continue;
                            const long plane = i * c + q, at = (plane * h + row) * w + column, to = plane * oh * ow + k;
                            const double near_x = 1 - std::fabs(x - double(column)), near_y = 1 - std::fabs(y - double(row));
                            want[size_t(to)] += near_x * near_y * double(image[at]);
                            by_image[size_t(at)] += near_x * near_y * double(g[to]);
                            by_grid[size_t(2 * place)] += (corner % 2 ? near_y : -near_y) * double(image[at]) * double(g[to]) * along;
                            by_grid[size_t(2 * place + 1)] += (corner / 2 ? near_x : -near_x) * double(image[at]) * double(g[to]) * down;
                        }
                }
            Buffer<T> out(n * c * oh * ow), x_grad(n * c * h * w), grid_grad(n * oh * ow * 2);
            const auto& k = kernels<T>().sampler;
            k.read(s, out), k.image_grad(s, g, x_grad), k.grid_grad(s, g, grid_grad);
            compare("grid sample", out, want, 4096), compare("grid sample, by image", x_grad, by_image, 4096, 8);
            compare("grid sample, by grid", grid_grad, by_grid, 4096, double(c * std::max(h, w)));
        }
    if (oh * ow > 4) grid[1] = T(NAN), grid[4] = T(INFINITY), grid[7] = T(-1e30);
    for (bool nearest : {false, true})
        for (Outside outside : {Outside::zeros, Outside::border, Outside::reflection}) {  // nothing is read or written outside
            const Sampler<T> s{n, c, h, w, oh, ow, image, grid, nearest, outside, true};
            Buffer<T> out(n * c * oh * ow), x_grad(n * c * h * w), grid_grad(n * oh * ow * 2);
            const auto& k = kernels<T>().sampler;
            k.read(s, out), k.image_grad(s, g, x_grad), k.grid_grad(s, g, grid_grad);
        }
}

// Group norm: rows of `per` channels of `l` elements, the parameters of `groups` rows in turn.
template <class T> void check_group_norm(long n, long groups, long per, long l, bool affine) {
    const double eps = 1e-3, wide = double(per * l);
    const long rows = n * groups, channels = groups * per;
    const auto x = random<T>(rows * per * l), g = random<T>(x.n), weight = random<T>(channels), bias = random<T>(channels);
    const T *w = affine ? weight.data() : nullptr, *b = affine ? bias.data() : nullptr;
    Doubles mean, rstd, out, back, slope(size_t(channels), 0), level(size_t(channels), 0);
    for (long r = 0; r < rows; r++) {
        const T *p = x + r * per * l, *d = g + r * per * l;
        double m = 0, v = 0, sum = 0, tilt = 0;
        for (long j = 0; j < per * l; j++) m += p[j] / wide;
        for (long j = 0; j < per * l; j++) v += (p[j] - m) * (p[j] - m) / wide;
        const double s = 1 / std::sqrt(v + eps);
        auto channel = [&](long j) { return r % groups * per + j / l; };
        auto scaled = [&](long j) { return d[j] * (affine ? double(weight[channel(j)]) : 1); };
        for (long j = 0; j < per * l; j++) {
            const double h = (p[j] - m) * s;
            out.push_back(h * (affine ? double(weight[channel(j)]) : 1) + (affine ? double(bias[channel(j)]) : 0));
            sum += scaled(j) / wide, tilt += scaled(j) * h / wide;
            slope[size_t(channel(j))] += d[j] * h, level[size_t(channel(j))] += d[j];
        }
        for (long j = 0; j < per * l; j++) back.push_back((scaled(j) - sum - (p[j] - m) * s * tilt) * s);
        mean.push_back(m), rstd.push_back(s);
    }
    Buffer<T> y(x.n), m(rows), s(rows), by_x(x.n), by_w(channels), by_b(channels), alone(channels);
    const auto& k = kernels<T>().norm;
    k.group(rows, groups, per, l, x, w, b, T(eps), y, m, s), k.group_grad(rows, groups, per, l, g, x, w, m, s, by_x, by_w, by_b);
    k.group_grad(rows, groups, per, l, g, x, w, m, s, nullptr, nullptr, alone);
    const double many = std::sqrt(double(n * l));
    compare("group norm", y, out, 256), compare("group norm, mean", m, mean, 64, 1), compare("group norm, rstd", s, rstd);
    compare("group norm, by input", by_x, back, 256, 1), compare("group norm, by weight", by_w, slope, 256, many);
    compare("group norm, by bias", by_b, level, 256, many), compare("group norm, bias alone", alone, level, 256, many);
}

template <class T> void check_pooling() {
    check_warp<T>(3, 7, 9, 5, 300), check_warp<T>(2, 1, 1, 3, 2), check_warp<T>(1, 12, 40, 11, 17);
    check_sampler<T>(2, 3, 7, 9, 5, 300), check_sampler<T>(3, 1, 1, 1, 3, 2), check_sampler<T>(1, 5, 12, 40, 11, 17);
    //                    planes  h   w  oh ow kh kw sh sw ph pw dh dw
    check_pool<T>(PoolShape{7, 14, 22, 0, 0, 2, 2, 2, 2, 0, 0, 1, 1});
    check_pool<T>(PoolShape{3, 13, 71, 0, 0, 2, 2, 2, 2, 0, 0, 1, 1});
    check_pool<T>(PoolShape{5, 17, 19, 0, 0, 3, 3, 2, 2, 1, 1, 1, 1});
    check_pool<T>(PoolShape{4, 11, 41, 0, 0, 3, 2, 1, 3, 1, 0, 2, 1});
    check_pool<T>(PoolShape{64, 33, 35, 0, 0, 3, 3, 1, 1, 1, 1, 1, 1});
    //                                                                  d od kd sd pd dd
    check_pool<T>(PoolShape{3, 13, 71, 0, 0, 2, 2, 2, 2, 0, 0, 1, 1, 6, 0, 2, 2, 0, 1});
    check_pool<T>(PoolShape{5, 9, 19, 0, 0, 3, 3, 2, 2, 1, 1, 1, 1, 7, 0, 3, 2, 1, 1});
    check_pool<T>(PoolShape{4, 11, 41, 0, 0, 3, 2, 1, 3, 1, 0, 2, 1, 8, 0, 2, 3, 0, 2});
}

template <class T> void check_norms() {
    for (bool affine : {false, true}) {
        const long shapes[][3] = {{3, 5, 7}, {4, 19, 1}, {2, 3, 65}, {6, 37, 301}, {300, 67, 1}};
        for (const auto& [n, c, l] : shapes) check_batch_norm<T>(n, c, l, affine);
        const long layers[][2] = {{1, 5}, {7, 33}, {67, 769}};
        for (const auto& [rows, width] : layers)
            for (bool centred : {false, true}) check_layer_norm<T>(rows, width, affine, centred);
        const long groups[][4] = {{2, 3, 1, 5}, {5, 2, 4, 1}, {3, 8, 5, 49}, {40, 4, 16, 70}, {1, 1, 3, 33000}};
        for (const auto& [n, many, per, l] : groups) check_group_norm<T>(n, many, per, l, affine);
    }
}

#define INSTANCE(T)                        \
    template void check_convolutions<T>(); \
    template void check_pooling<T>();      \
    template void check_norms<T>();
INSTANCE(float)
INSTANCE(double)
