// The tile: the micro-kernel that everything with a product in it shares, and how its operands are packed.
#pragma once
#include <algorithm>

#include "../vec.h"
#include "product.h"

namespace dovetail::ISA {

// One call of the micro-kernel computes TILE_ROWS rows of TILE_VECTORS registers.
#if defined(__AVX512F__)
constexpr int TILE_ROWS = 14, TILE_VECTORS = 2;
#elif defined(__AVX2__)
constexpr int TILE_ROWS = 6, TILE_VECTORS = 2;
#else
constexpr int TILE_ROWS = 8, TILE_VECTORS = 2;
#endif
template <class T> constexpr long TILE_COLUMNS = TILE_VECTORS * WIDTH<T>;

// B cut into panels of TILE_COLUMNS columns, each panel row after row; short panels are filled with zeros. With `runs` row i of
// panel j begins at p + runs[i] + j * panel instead, and whole vectors are read, whatever lies behind the last column.
template <class T> struct Panels {
    const T* p;
    long row;    // from one row to the next within a panel
    long panel;  // from one panel to the next
    const long* runs = nullptr;
};
template <class T> long panels_of(long n) { return (n + TILE_COLUMNS<T> - 1) / TILE_COLUMNS<T>; }
template <class T> long panels_size(long k, long n) { return panels_of<T>(n) * TILE_COLUMNS<T> * k; }

// Pack k x n of B into its panels first..last; `to` is where panel 0 is or would be.
template <class T> void pack(const Matrix<T>& b, long k, long n, T* to, long first, long last);

// C (m x n, rows ldc apart) = A B, or C += A B with `add`, on this thread alone, k at a time: for parts that fit the cache.
// `more`, where it is not null, holds a value for each column that is added to it as well.
template <class T>
void block(long m, long n, long k, const Matrix<T>& a, const Panels<T>& b, T* c, long ldc, bool add, const T* more = nullptr);

// C = A B (+ C with `add`) on all threads, B as it lies or packed already.
template <class T>
void product(long m, long n, long k, const Matrix<T>& a, const Matrix<T>& b, T* c, long ldc, bool add, const Finish<T>& finish);
template <class T>
void product(long m, long n, long k, const Matrix<T>& a, const Panels<T>& b, T* c, long ldc, bool add, const Finish<T>& finish);

}  // namespace dovetail::ISA
