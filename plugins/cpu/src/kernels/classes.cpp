// Softmax and its kin, a row at a time.
#include "classes.h"

#include <limits>

#include "../math.h"
#include "../pool.h"
#include "table.h"

namespace dovetail::ISA {
namespace {

constexpr long GRAIN = 2048;

template <class T> INLINE T row_max(const T* p, long n) {
    constexpr long W = WIDTH<T>;
    const T least = -std::numeric_limits<T>::infinity();
    Vec<T> top = splat(least);
    for (long j = 0; j < n; j += W) {
        const long some = std::min(W, n - j);
        top = greater<T>(some == W ? load(p + j) : load(p + j, some, least), top);
    }
    return fold<T>(top, [](T a, T b) { return a > b || a != a ? a : b; });
}

template <class T> void softmax(long rows, long width, const T* x, T* out) {
    constexpr long W = WIDTH<T>;
    parallel_range(rows, std::max(1L, GRAIN / width), [&](long r, long end) {
        for (; r < end; r++) {
            const T* p = x + r * width;
            T* q = out + r * width;
            const T top = row_max(p, width);
            Vec<T> total{};
            for (long j = 0; j < width; j += W) {
                const long some = std::min(W, width - j);
                const Vec<T> e = exp_of_negative<T>(part(p + j, some) - top);
                total += first<T>(e, some);
                put(q + j, e, some);
            }
            const T scale = T(1) / sum<T>(total);
            for (long j = 0; j < width; j += W) {
                const long some = std::min(W, width - j);
                put(q + j, part(q + j, some) * scale, some);
            }
        }
    });
}

template <class T> void softmax_grad(long rows, long width, const T* g, const T* y, T* out) {
    constexpr long W = WIDTH<T>;
    parallel_range(rows, std::max(1L, GRAIN / width), [&](long r, long end) {
        for (; r < end; r++) {
            const T *d = g + r * width, *p = y + r * width;
            Vec<T> total{};
            for (long j = 0; j < width; j += W) {
                const long some = std::min(W, width - j);
                total += part(d + j, some) * part(p + j, some);
            }
            const T s = sum<T>(total);
            for (long j = 0; j < width; j += W) {
                const long some = std::min(W, width - j);
                put(out + r * width + j, (part(d + j, some) - s) * part(p + j, some), some);
            }
        }
    });
}

template <class T> void log_softmax(long rows, long width, const T* x, T* out) {
    constexpr long W = WIDTH<T>;
    parallel_range(rows, std::max(1L, GRAIN / width), [&](long r, long end) {
        for (; r < end; r++) {
            const T* p = x + r * width;
            const T top = row_max(p, width);
            Vec<T> total{};
            for (long j = 0; j < width; j += W) {
                const long some = std::min(W, width - j);
                total += first<T>(exp_of_negative<T>(part(p + j, some) - top), some);
            }
            const T shift = std::log(sum<T>(total));
            for (long j = 0; j < width; j += W) {
                const long some = std::min(W, width - j);
                put(out + r * width + j, part(p + j, some) - top - shift, some);
            }
        }
    });
}

template <class T> void log_softmax_grad(long rows, long width, const T* g, const T* y, T* out) {
    constexpr long W = WIDTH<T>;
    parallel_range(rows, std::max(1L, GRAIN / width), [&](long r, long end) {
        for (; r < end; r++) {
            const T *d = g + r * width, *p = y + r * width;
            Vec<T> total{};
            for (long j = 0; j < width; j += W) total += part(d + j, std::min(W, width - j));
            const T s = sum<T>(total);
            for (long j = 0; j < width; j += W) {
                const long some = std::min(W, width - j);
                put(out + r * width + j, part(d + j, some) - exp_of_negative<T>(part(p + j, some)) * s, some);
            }
        }
    });
}

template <class T> void log_sum(long rows, long width, const T* x, T* out) {
    constexpr long W = WIDTH<T>;
    parallel_range(rows, std::max(1L, GRAIN / width), [&](long r, long end) {
        for (; r < end; r++) {
            const T *p = x + r * width, top = row_max(p, width);
            Vec<T> total{};
            for (long j = 0; j < width; j += W) {
                const long some = std::min(W, width - j);
                total += first<T>(exp_of_negative<T>(part(p + j, some) - top), some);
            }
            out[r] = std::isinf(top) ? top : top + std::log(sum<T>(total));
        }
    });
}

template <class T> void cross_entropy_grad(long rows, long width, const T* logp, const int64_t* label, const T* scale, T* out) {
    constexpr long W = WIDTH<T>;
    parallel_range(rows, std::max(1L, GRAIN / width), [&](long r, long end) {
        for (; r < end; r++) {
            const T* p = logp + r * width;
            T* q = out + r * width;
            const T s = label[r] < 0 ? T(0) : scale[r];
            for (long j = 0; j < width; j += W) {
                const long some = std::min(W, width - j);
                put(q + j, exp_of_negative<T>(part(p + j, some)) * s, some);
            }
            if (label[r] >= 0) q[label[r]] -= s;
        }
    });
}

}  // namespace

#define INSTANCE(T)                                                                                                   \
    template <> ClassesKernels<T> classes_kernels<T>() {                                                              \
        return {softmax<T>, softmax_grad<T>, log_softmax<T>, log_softmax_grad<T>, log_sum<T>, cross_entropy_grad<T>}; \
    }
INSTANCE(float)
INSTANCE(double)

}  // namespace dovetail::ISA
