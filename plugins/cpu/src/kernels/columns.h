// The columns of a convolution: for each channel and tap, the input values that a run of output points meets.
#pragma once
#include "../vec.h"
#include "conv.h"

namespace dovetail::ISA {

// Every second element of two vectors.
template <class V, int... I> INLINE V every_second(V a, V b, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(a, b, (2 * I)...);
}

// n elements, `step` apart, to a run. Nothing outside of them is read.
template <class T> INLINE void gather_run(const T* from, long step, T* to, long n) {
    constexpr long W = WIDTH<T>;
    if (step == 1) {
        long i = 0;
        for (; i + W <= n; i += W) store(to + i, load(from + i));
        if (i < n) store(to + i, load(from + i, n - i), n - i);
    } else if (step == 2) {
        for (long i = 0; i < n; i += W) {
            const long some = n - i < W ? n - i : W, reach = 2 * some - 1;  // elements that are read
            Vec<T> a = load(from + 2 * i, reach < W ? reach : W), b = reach > W ? load(from + 2 * i + W, reach - W) : Vec<T>{};
            store(to + i, every_second(a, b, std::make_integer_sequence<int, W>{}), some);
        }
    } else {
        for (long i = 0; i < n; i++) to[i] = from[i * step];
    }
}

// The other way: a run is added to elements `step` apart.
template <class T> INLINE void add_run(const T* from, T* to, long step, long n) {
    constexpr long W = WIDTH<T>;
    if (step == 1) {
        long i = 0;
        for (; i + W <= n; i += W) store(to + i, load(to + i) + load(from + i));
        if (i < n) store(to + i, load(to + i, n - i) + load(from + i, n - i), n - i);
    } else if (step == 2) {  // zeros are added to what lies between
        using Order = std::make_integer_sequence<int, W>;
        for (long i = 0; i < n; i += W) {
            const long some = n - i < W ? n - i : W, reach = 2 * some - 1;
            const Vec<T> v = part(from + i, some);
            T* at = to + 2 * i;
            const long low = reach < W ? reach : W;
            put(at, part(at, low) + zip_low(v, Vec<T>{}, Order{}), low);
            if (reach > W) put(at + W, part(at + W, reach - W) + zip_high(v, Vec<T>{}, Order{}), reach - W);
        }
    } else {
        for (long i = 0; i < n; i++) to[i * step] += from[i];
    }
}

// A run of output points of one row; `place` counts from the first point asked for.
struct Run {
    long place, image, row, column, length;
};
// The runs that make up output points [first, first + count), counted through all images; how many there are.
INLINE long runs_of(const ConvShape& s, long first, long count, Run* to) {
    long n = 0;
    for (long place = 0; place < count;) {
        const long q = first + place, image = q / s.points(), at = q % s.points(), row = at / s.ow, column = at % s.ow;
        const long length = std::min(s.ow - column, count - place);
        to[n++] = {place, image, row, column, length};
        place += length;
    }
    return n;
}

// For one tap and a run of outputs: which of them meet the image, and where. False: none, all meet the border's zeros.
struct Meeting {
    long skip, length, at;  // outputs to leave out at the start, outputs that meet, offset of the first in the plane
};
INLINE bool meets(const ConvShape& s, long ki, long kj, long row, long column, long length, Meeting& m) {
    const long y = row * s.sh - s.ph + ki * s.dh, x = column * s.sw - s.pw + kj * s.dw;
    if (y < 0 || y >= s.h) return false;
    m.skip = x < 0 ? (-x + s.sw - 1) / s.sw : 0;
    m.length = std::min(length, x >= s.w ? 0 : (s.w - 1 - x) / s.sw + 1) - m.skip;
    m.at = y * s.w + x + m.skip * s.sw;
    return m.length > 0;
}

// `fill_columns` for maps narrower than a vector, whose runs are short: the elements of each vector are gathered.
template <class T, long PANEL>
void gather_columns(const ConvShape& s, const T* x, long c0, long channels, long first, long count, T* to, long row, long panel) {
    constexpr long W = WIDTH<T>;
    const long plane = s.h * s.w, taps = s.taps(), image0 = first / s.points();
    int32_t at[PANEL];
    for (long begin = 0; begin < count; begin += PANEL)
        for (long tap = 0; tap < taps; tap++) {
            for (long i = 0; i < PANEL; i++) {
                const long q = first + begin + i, image = q / s.points() - image0,
                           y = q % s.points() / s.ow * s.sh - s.ph + tap / s.kw * s.dh, xx = q % s.ow * s.sw - s.pw + tap % s.kw * s.dw;
                const bool inside = begin + i < count && y >= 0 && y < s.h && xx >= 0 && xx < s.w;
                at[i] = inside ? int32_t(image * s.c * plane + y * s.w + xx) : -1;
            }
            const T* from = x + (image0 * s.c + c0) * plane;
            T* place = to + begin / PANEL * panel + tap * row;
            for (long c = 0; c < channels; c++, from += plane, place += taps * row)
                for (long i = 0; i < PANEL; i += W) store(place + i, gather(from, at + i));
        }
}

// Columns of the channels [c0, c0 + channels) of `x` (of one group) for `count` output points from `first` on, all images
// counted through. Row r = (channel, ki, kj) of the result begins at to + r * row; when points beyond `count` belong to a
// panel of PANEL points, panel p of a row is at p * panel and the rest is filled with zeros.
template <class T, long PANEL>
void fill_columns(const ConvShape& s, const T* x, long c0, long channels, long first, long count, T* to, long row, long panel) {
    const long plane = s.h * s.w, taps = s.taps();
    if (s.ow < WIDTH<T> && (count / s.points() + 2) * s.c * plane < INT32_MAX)
        return gather_columns<T, PANEL>(s, x, c0, channels, first, count, to, row, panel);
    for (long begin = 0; begin < count; begin += PANEL) {
        Run runs[PANEL];
        const long n = runs_of(s, first + begin, std::min(PANEL, count - begin), runs);
        T* place0 = to + begin / PANEL * panel;
        for (long tap = 0; tap < taps; tap++) {
            Meeting met[PANEL];
            long covered = 0;
            for (long i = 0; i < n; i++) {
                if (!meets(s, tap / s.kw, tap % s.kw, runs[i].row, runs[i].column, runs[i].length, met[i])) met[i].length = 0;
                covered += met[i].length;
            }
            T* place = place0 + tap * row;
            if (covered < PANEL)
                for (long c = 0; c < channels; c++) std::memset(place + c * taps * row, 0, sizeof(T) * size_t(PANEL));
            for (long i = 0; i < n; i++) {
                if (!met[i].length) continue;
                const T* from = x + (runs[i].image * s.c + c0) * plane + met[i].at;
                T* dst = place + runs[i].place + met[i].skip;
                for (long c = 0; c < channels; c++) gather_run(from + c * plane, s.sw, dst + c * taps * row, met[i].length);
            }
        }
    }
}

}  // namespace dovetail::ISA
