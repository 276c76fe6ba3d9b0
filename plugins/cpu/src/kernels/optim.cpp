// Updates of optimizers: every parameter, gradient and state is read and written once.
#include "optim.h"

#include "../pool.h"
#include "../vec.h"
#include "table.h"

namespace dovetail::ISA {
namespace {

constexpr long CHUNK = 16384;

// Call f(parameter, first, last) for chunks of all parameters, as one long list for the threads.
template <class T, class F> void each(const Parameter<T>* parameters, long count, F&& f) {
    long* starts = scratch<long>(SLOT_1, count + 1);
    long chunks = 0, total = 0;
    for (long i = 0; i < count; i++) {
        starts[i] = chunks;
        chunks += (parameters[i].n + CHUNK - 1) / CHUNK;
        total += parameters[i].n;
    }
    starts[count] = chunks;
    auto one = [&](long c, int) {
        const long i = std::upper_bound(starts, starts + count + 1, c) - starts - 1, first = (c - starts[i]) * CHUNK;
        f(parameters[i], first, std::min(parameters[i].n, first + CHUNK));
    };
    if (total < 4 * CHUNK)  // too little to share
        for (long c = 0; c < chunks; c++) one(c, 0);
    else parallel(chunks, one);
}

template <class T> void sgd(const SgdRule& rule, const Parameter<T>* parameters, long count) {
    constexpr long W = WIDTH<T>;
    const T lr = T(rule.lr), momentum = T(rule.momentum), inflow = T(rule.inflow), l2 = T(rule.l2), sign = rule.maximize ? T(-1) : T(1);
    each(parameters, count, [&](const Parameter<T>& a, long first, long last) {
        for (long i = first; i < last; i += W) {
            const long some = std::min(W, last - i);
            Vec<T> p = part(a.p + i, some), g = part(a.g + i, some) * sign;
            if (l2 != 0) g += p * l2;
            if (a.state[0]) {
                Vec<T> b = part(a.state[0] + i, some) * momentum + g * inflow;
                put(a.state[0] + i, b, some);
                g = rule.nesterov ? b * momentum + g : b;
            }
            put(a.p + i, p - g * lr, some);
        }
    });
}

template <class T> void adam(const AdamRule& rule, const Parameter<T>* parameters, long count) {
    constexpr long W = WIDTH<T>;
    const T keep = T(rule.beta2), take = T(1 - rule.beta2), move = T(1 - rule.beta1), l2 = T(rule.l2), sign = rule.maximize ? T(-1) : T(1);
    const T decay = T(rule.decay), eps = T(rule.eps), step = T(rule.step_size), root_scale = T(rule.root_correction);
    each(parameters, count, [&](const Parameter<T>& a, long first, long last) {
        for (long i = first; i < last; i += W) {
            const long some = std::min(W, last - i);
            Vec<T> p = part(a.p + i, some), g = part(a.g + i, some) * sign, m = part(a.state[0] + i, some);
            if (l2 != 0) g += p * l2;
            if (decay != 1) p *= decay;
            m = move < T(0.5) ? m + (g - m) * move : g - (g - m) * (T(1) - move);
            Vec<T> v = part(a.state[1] + i, some) * keep + g * g * take;
            put(a.state[0] + i, m, some), put(a.state[1] + i, v, some);
            if (a.state[2]) {
                v = greater<T>(v, part(a.state[2] + i, some));
                put(a.state[2] + i, v, some);
            }
            put(a.p + i, p - step * (m / (root<T>(v) / root_scale + eps)), some);
        }
    });
}

}  // namespace

template <> OptimKernels<float> optim_kernels<float>() { return {sgd<float>, adam<float>}; }
template <> OptimKernels<double> optim_kernels<double>() { return {sgd<double>, adam<double>}; }

}  // namespace dovetail::ISA
