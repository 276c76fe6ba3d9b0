// What the checks of kernels_alone.cpp and kernels_alone_shapes.cpp share: buffers with guards, and the comparison with doubles.
#pragma once
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "../../plugins/cpu/src/kernels/table.h"

using namespace dovetail;
using Doubles = std::vector<double>;

constexpr long GUARD = 33;  // elements on each side; odd, so that what lies between begins at no vector's address
constexpr double GUARDED = 1234.5;

// Elements that begin as NaN, as a kernel must write all that it answers for, between guards that it must leave alone.
template <class T> class Buffer {
    std::vector<T> all;

  public:
    long n;
    explicit Buffer(long n, double fill = std::numeric_limits<double>::quiet_NaN()) : all(size_t(n + 2 * GUARD), T(GUARDED)), n(n) {
        for (long i = 0; i < n; i++) (*this)[i] = std::is_floating_point_v<T> ? T(fill) : T(0);
    }
    T* data() { return all.data() + GUARD; }
    const T* data() const { return all.data() + GUARD; }
    operator T*() { return data(); }
    operator const T*() const { return data(); }
    T& operator[](long i) { return data()[i]; }
    const T& operator[](long i) const { return data()[i]; }
    bool guards_stand() const {
        for (long i = 0; i < GUARD; i++)
            if (all[size_t(i)] != T(GUARDED) || all[size_t(GUARD + n + i)] != T(GUARDED)) return false;
        return true;
    }
    Doubles doubles() const { return Doubles(data(), data() + n); }
};

inline std::mt19937& source() {
    static std::mt19937 one(7);
    return one;
}
inline double draw(double low = -1, double high = 1) { return low + (high - low) * double(source()()) / 4294967296.0; }
template <class T> Buffer<T> random(long n, double low = -1, double high = 1) {
    Buffer<T> b(n);
    for (long i = 0; i < n; i++) b[i] = T(draw(low, high));
    return b;
}

struct Tally {
    long checks = 0, wrong = 0;
};
inline Tally tally;

// One check: every element within `units` roundings of what the doubles say, counted on its own size but no less than `least`,
// or, where that is below zero, on the largest's; NaN and infinities exactly; the guards as they were.
template <class T> void compare(const std::string& what, const Buffer<T>& got, const Doubles& want, double units = 64, double least = -1) {
    tally.checks++;
    double largest = 0;
    for (double w : want)
        if (std::isfinite(w)) largest = std::max(largest, std::fabs(w));
    const double step = units * double(std::numeric_limits<T>::epsilon());
    long bad = got.n == long(want.size()) && got.guards_stand() ? -1 : got.n;
    for (long i = 0; i < got.n && bad < 0; i++) {
        const double g = double(got[i]), w = want[size_t(i)];
        const double room = step * (least < 0 ? largest : std::max(std::fabs(w), least)) + double(std::numeric_limits<T>::denorm_min());
        if (std::isfinite(w) ? !(std::fabs(g - w) <= room) : !(g == w || (g != g && w != w))) bad = i;
    }
    if (bad < 0) return;
    tally.wrong++;
    if (bad == got.n) std::printf("WRONG %s (%s): written outside\n", what.c_str(), sizeof(T) == 4 ? "float" : "double");
    else
        std::printf("WRONG %s (%s): element %ld is %.9g instead of %.9g\n", what.c_str(), sizeof(T) == 4 ? "float" : "double", bad,
                    double(got[bad]), want[size_t(bad)]);
}

// In kernels_alone_moves.cpp, kernels_alone_shapes.cpp and kernels_alone_steps.cpp.
template <class T> void check_moves();
template <class T> void check_channels();
template <class T> void check_convolutions();
template <class T> void check_pooling();
template <class T> void check_norms();
template <class T> void check_recurrent();
template <class T> void check_attention();
