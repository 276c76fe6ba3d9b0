// Copies of arrays whose dimensions lie in another order, of parts of them, and with borders around them.
#pragma once
#include <cstdint>

namespace dovetail {

// The loops of a copy, the outermost first, and how far one step of each goes, in elements. The last one walks along the result.
struct Route {
    static constexpr int MOST = 32;
    int dims = 0;
    long size[MOST], from[MOST], to[MOST];
};

// How `blocks` blocks of `rows` rows of `width` elements are made of blocks of `from_rows` rows of `from_width`: row[r] is the row that
// stands in row r of each block, place[j] the element in column j; a negative one stands for none. From column `first` up to `last` the
// elements follow each other.
struct Padding {
    long blocks, rows, width, from_rows, from_width, first, last;
    const int64_t *row, *place;
};

template <class T> struct RearrangeKernels {
    void (*copy)(const Route& r, const T* x, T* out);
    // `value` stands where there is none.
    void (*pad)(const Padding& p, T value, const T* x, T* out);
    // Its gradient: each element of g is added where it came from, in the order of the rows.
    void (*pad_grad)(const Padding& p, const T* g, T* out);
    // (count, rows, columns): what lies below (or, `upper`, above) the diagonal and on it; zeros elsewhere.
    void (*triangle)(long count, long rows, long columns, long diagonal, bool upper, const T* x, T* out);
};

}  // namespace dovetail
