// The product C = A B in blocks: a row block of A is gathered into cache, B is packed into panels, tiles stay in registers.
#include "product.h"

#include "../allocator.h"
#include "../pool.h"
#include "table.h"
#include "tile.h"

namespace dovetail::ISA {
namespace {

constexpr long K_BLOCK = 256;  // of the summed dimension at a time: a panel of B then fits the first cache
constexpr long ROW_BLOCK = TILE_ROWS * 8;
constexpr double SMALL = 2.5e6;  // multiplications that are not worth a second thread
constexpr double ALONG = 2e5;    // elements of B from which one row reads them as they lie in memory
constexpr long THIN = 4;         // so few rows are products of vectors, bound by reading B

enum class How { along, across, runs };  // across: A's unit step is along the rows of the tile (it is read as its transposition)

// Write the sums of a tile of which C has fewer columns: seldom, so one function serves every tile.
template <class T>
[[gnu::noinline]] void write_part(const Vec<T>* sums, int rows, int vectors, T* c, long ldc, bool add, long columns, const T* more) {
    constexpr long W = WIDTH<T>;
    for (int i = 0; i < rows; i++, sums += vectors, c += ldc)
        for (int j = 0; j < vectors && j * W < columns; j++) {
            const long n = std::min(columns - j * W, W);
            const Vec<T> v = add ? load(c + j * W, n) + sums[j] : sums[j];
            store(c + j * W, more ? v + load(more + j * W, n) : v, n);
        }
}

// One tile. `more`: a value for each column, or null.
template <class T, int ROWS, int VECTORS, How HOW>
void tile(const T* a, long step, const T* b, long b_row, const long* runs, long k, T* c, long ldc, bool add, long columns, const T* more) {
    constexpr bool ACROSS = HOW == How::across;
    constexpr long W = WIDTH<T>;
    Vec<T> acc[ROWS][VECTORS];
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; j++) acc[i][j] = Vec<T>{}, __builtin_prefetch(c + i * ldc + j * W, 1, 3);
    // Every third row has a pointer of its own: the others are reached by constant offsets, and no register spills.
    const T* group[(ROWS + 2) / 3];
    for (int g = 0; g < (ROWS + 2) / 3; g++) group[g] = ACROSS ? a : a + 3 * g * step;
    for (long p = 0; p < k; p++) {
        Vec<T> row[VECTORS];
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; j++) row[j] = load(HOW == How::runs ? b + runs[p] + j * W : b + j * W);
#pragma GCC unroll 16
        for (int i = 0; i < ROWS; i++) {
            Vec<T> x = splat(ACROSS ? a[i] : group[i / 3][(i % 3) * step + p]);
#pragma GCC unroll 4
            for (int j = 0; j < VECTORS; j++) acc[i][j] += x * row[j];
        }
        if (ACROSS) a += step;
        if (HOW != How::runs) b += b_row;
    }
    if (columns < VECTORS * W) {
        Vec<T> sums[ROWS * VECTORS];
#pragma GCC unroll 16
        for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 4
            for (int j = 0; j < VECTORS; j++) sums[i * VECTORS + j] = acc[i][j];
        return write_part(sums, ROWS, VECTORS, c, ldc, add, columns, more);
    }
    if (add)
#pragma GCC unroll 16
        for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 4
            for (int j = 0; j < VECTORS; j++) acc[i][j] += load(c + i * ldc + j * W);
    if (more)
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; j++)
#pragma GCC unroll 16
            for (int i = 0; i < ROWS; i++) acc[i][j] += load(more + j * W);
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; j++) store(c + i * ldc + j * W, acc[i][j]);
}

template <class T> using Tile = void (*)(const T*, long, const T*, long, const long*, long, T*, long, bool, long, const T*);

// Tiles by their number of rows, from 0 (none) up.
template <class T> struct TileTable {
    Tile<T> of[TILE_ROWS + 1];
};
template <class T, int VECTORS, How HOW, int... ROWS> constexpr TileTable<T> tile_table(std::integer_sequence<int, ROWS...>) {
    return {{nullptr, tile<T, ROWS + 1, VECTORS, HOW>...}};
}
template <class T, int VECTORS, How HOW> constexpr TileTable<T> TILES =
    tile_table<T, VECTORS, HOW>(std::make_integer_sequence<int, TILE_ROWS>{});

// The tiles for so many columns and such factors.
template <class T> const TileTable<T>& tiles_for(long columns, How how) {
    if (columns <= WIDTH<T>)
        return how == How::runs ? TILES<T, 1, How::runs> : how == How::across ? TILES<T, 1, How::across> : TILES<T, 1, How::along>;
    return how == How::runs     ? TILES<T, TILE_VECTORS, How::runs>
           : how == How::across ? TILES<T, TILE_VECTORS, How::across>
                                : TILES<T, TILE_VECTORS, How::along>;
}

// Rows to the vectors of a packed panel: `n` columns beginning at b, filled with zeros up to the panel's width.
template <class T> void pack_panel(const Matrix<T>& b, long k, long n, const T* from, T* to) {
    constexpr long W = WIDTH<T>, N = TILE_COLUMNS<T>;
    if (b.column == 1) {
        for (long p = 0; p < k; p++, from += b.row, to += N)
#pragma GCC unroll 4
            for (int j = 0; j < TILE_VECTORS; j++) {
                long rest = std::min(std::max(n - j * W, 0L), W);
                store(to + j * W, rest == W ? load(from + j * W) : rest ? load(from + j * W, rest) : Vec<T>{});
            }
        return;
    }
    for (int j = 0; j < TILE_VECTORS; j++) {
        long rest = std::min(std::max(n - j * W, 0L), W), p = 0;
        const T* column = from + j * W * b.column;
        T* place = to + j * W;
        if (rest == W && b.row == 1)
            for (; p + W <= k; p += W) transpose(column + p, b.column, place + p * N, N);
        for (; p < k; p++)
            for (long i = 0; i < W; i++) place[p * N + i] = i < rest ? column[i * b.column + p * b.row] : T(0);
    }
}

// What is left to do to a part of C; what is added along the columns was, where a block wrote it.
template <class T> void finish_rows(long m, long n, T* c, long ldc, const Finish<T>& f, long row, long column, bool added = true) {
    constexpr long W = WIDTH<T>;
    const T* by_column = added ? nullptr : f.by_column;
    const bool plain = !by_column && !f.by_row && f.then == Then::nothing;
    for (long i = 0; i < m && !plain; i++) {
        Vec<T> add = splat(f.by_row ? f.by_row[row + i] : T(0));
        for (long j = 0; j < n; j += W) {
            long rest = std::min(n - j, W);
            T* to = c + i * ldc + j;
            Vec<T> v = rest == W ? load(to) : load(to, rest);
            if (f.by_row) v += add;
            if (by_column) v += part(by_column + column + j, rest);
            if (f.then == Then::relu) v = greater<T>(Vec<T>{}, v);
            if (rest == W) store(to, v);
            else store(to, v, rest);
        }
    }
    if (f.after.run) f.after.run(f.after.what, row, column, m, n);
}

// Add the sums of m rows of k that lie side by side (a.row == 1).
template <class T> void add_row_sums(long m, long k, const Matrix<T>& a, double* sums) {
    constexpr long W = WIDTH<T>;
    for (long i = 0; i < m; i += W) {
        const long rest = std::min(m - i, W);
        const T* from = a.p + i;
        Vec<T> acc{};
        if (rest == W)
            for (long p = 0; p < k; p++) acc += load(from + p * a.column);
        else
            for (long p = 0; p < k; p++) acc += load(from + p * a.column, rest);
        for (long j = 0; j < rest; j++) sums[i + j] += double(acc[j]);
    }
}

// The same in parts, so that what is summed in the type itself stays short, each thread taking some of the rows.
template <class T> void all_row_sums(long m, long k, const Matrix<T>& a, double* sums) {
    if (!sums) return;
    parallel_range(m, std::max(1L, 65536 / std::max(k, 1L)), [&](long first, long last) {
        for (long p = 0; p < k; p += K_BLOCK)
            add_row_sums<T>(last - first, std::min(K_BLOCK, k - p), {a.p + first + p * a.column, 1, a.column}, sums + first);
    });
}

}  // namespace

template <class T> void pack(const Matrix<T>& b, long k, long n, T* to, long first, long last) {
    constexpr long N = TILE_COLUMNS<T>;
    for (long q = first; q < last; q++) pack_panel(b, k, std::min(N, n - q * N), b.p + q * N * b.column, to + q * N * k);
}

template <class T> void block(long m, long n, long k, const Matrix<T>& a, const Panels<T>& b, T* c, long ldc, bool add, const T* more) {
    constexpr long N = TILE_COLUMNS<T>;
    const bool across = a.row == 1 && a.column != 1;
    const long step = across ? a.column : a.row, parts = (m + TILE_ROWS - 1) / TILE_ROWS;
    const How how = b.runs ? How::runs : across ? How::across : How::along;
    for (long j = 0; j < n; j += N) {
        const long columns = std::min(N, n - j);
        const T* panel = b.p + j / N * b.panel;
        const auto& tiles = tiles_for<T>(columns, how);
        for (long q = 0; q < parts; q++) {  // rows are shared out evenly: no thin last tile
            const long i = m * q / parts, rows = m * (q + 1) / parts - i;
            tiles.of[rows](a.p + i * a.row, step, panel, b.row, b.runs, k, c + i * ldc + j, ldc, add, columns, more ? more + j : nullptr);
        }
    }
}

// What is added along the columns from column j on, or null: after the last step of the summed dimension, while C is in registers.
template <class T> static const T* more_of(const Finish<T>& finish, long j) { return finish.by_column ? finish.by_column + j : nullptr; }

// A part of A that is read more than once, in steps of a power of two that the cache cannot hold, is copied; else it is as it lies.
template <class T> static Matrix<T> gathered(const Matrix<T>& part, long height, long depth, long width) {
    const bool across = part.row == 1 && part.column != 1;
    if (width <= TILE_COLUMNS<T> || !(across || part.row * long(sizeof(T)) % 2048 == 0)) return part;
    const long lines = across ? depth : height, each = across ? height : depth;
    const long stride = (each + 15) / 16 * 16 + 16;
    T* copy = scratch<T>(SLOT_A, lines * stride);
    for (long l = 0; l < lines; l++)
        std::memcpy(copy + l * stride, part.p + l * (across ? part.column : part.row), sizeof(T) * size_t(each));
    return across ? Matrix<T>{copy, 1, stride} : Matrix<T>{copy, stride, 1};
}

template <class T>
void product(long m, long n, long k, const Matrix<T>& a, const Panels<T>& b, T* c, long ldc, bool add, const Finish<T>& finish) {
    constexpr long N = TILE_COLUMNS<T>;
    const long panels = panels_of<T>(n), workers = threads();
    long rows = (m + ROW_BLOCK - 1) / ROW_BLOCK, chunks = 1;
    if (double(m) * n * k < SMALL) {
        rows = 1;  // too little to share
    } else {
        if (rows > workers) rows = (rows + workers - 1) / workers * workers;
        while (rows * chunks < workers * 3 && chunks * 2 <= panels && double(m) * n * k / double(rows * chunks) > 4e5) chunks *= 2;
    }
    parallel(rows * chunks, [&](long t, int) {
        const long i = m * (t % rows) / rows, height = m * (t % rows + 1) / rows - i;
        const long from = panels * (t / rows) / chunks, to = panels * (t / rows + 1) / chunks;
        const long j = from * N, width = std::min(n, to * N) - j;
        if (width <= 0 || height <= 0) return;
        const long steps = std::max((k + K_BLOCK - 1) / K_BLOCK, 1L);
        for (long s = 0; s < steps; s++) {
            const long p = k * s / steps, depth = k * (s + 1) / steps - p;
            const Matrix<T> part = gathered<T>({a.p + i * a.row + p * a.column, a.row, a.column}, height, depth, width);
            const Panels<T> right{b.p + from * b.panel + p * b.row, b.row, b.panel};
            block(height, width, depth, part, right, c + i * ldc + j, ldc, add || s > 0, s + 1 < steps ? nullptr : more_of(finish, j));
            if (finish.row_sums && from == 0) add_row_sums(height, depth, part, finish.row_sums + i);
        }
        finish_rows(height, width, c + i * ldc + j, ldc, finish, i, j);
    });
}

// Rows of A times the columns of B, each a run of memory: C(i, j) = c[i * c_row + j * c_column].
template <class T>
static void dots(long m, long n, long k, const T* a, long a_row, const T* b, long b_column, T* c, long c_row, long c_column, bool add) {
    constexpr long W = WIDTH<T>;
    parallel_range(n, std::max(1L, 20000 / std::max(k * m, 1L)), [&](long first, long last) {
        for (long j = first; j < last; j++)
            for (long i = 0; i < m; i++) {
                const T *x = a + i * a_row, *y = b + j * b_column;
                Vec<T> acc[4] = {};
                long p = 0;
                for (; p + 4 * W <= k; p += 4 * W)
#pragma GCC unroll 4
                    for (int u = 0; u < 4; u++) acc[u] += load(x + p + u * W) * load(y + p + u * W);
                for (; p + W <= k; p += W) acc[0] += load(x + p) * load(y + p);
                if (p < k) acc[1] += load(x + p, k - p) * load(y + p, k - p);
                T& to = c[i * c_row + j * c_column];
                to = sum<T>((acc[0] + acc[1]) + (acc[2] + acc[3])) + (add ? to : T(0));
            }
    });
}

// rows x columns, side by side, to its transposition with rows ldc apart.
template <class T> static void turn(const T* from, long rows, long columns, T* to, long ldc) {
    constexpr long W = WIDTH<T>;
    parallel_range((columns + W - 1) / W, std::max(1L, 16384 / (rows * W)), [&](long first, long last) {
        for (long j = first * W; j < std::min(columns, last * W); j += W)
            for (long i = 0; i < rows; i += W) {
                if (j + W <= columns && i + W <= rows) {
                    transpose(from + i * columns + j, columns, to + j * ldc + i, ldc);
                    continue;
                }
                for (long x = i; x < std::min(rows, i + W); x++)
                    for (long y = j; y < std::min(columns, j + W); y++) to[y * ldc + x] = from[x * columns + y];
            }
    });
}

// For few rows: each thread takes columns of C and packs those of B that it needs, so that nobody waits for another's packing.
template <class T>
static void by_columns(long m, long n, long k, const Matrix<T>& a, const Matrix<T>& b, T* c, long ldc, bool add, const Finish<T>& finish) {
    constexpr long N = TILE_COLUMNS<T>;
    const long panels = panels_of<T>(n), workers = threads();
    const double work = double(m) * n * k;
    const long chunks = work < SMALL ? 1 : work < SMALL * double(workers) ? workers : std::min(panels, 2 * workers);
    parallel(chunks, [&](long t, int) {
        const long from = panels * t / chunks, to = panels * (t + 1) / chunks, j = from * N, width = std::min(n, to * N) - j;
        const long steps = std::max((k + K_BLOCK - 1) / K_BLOCK, 1L);
        const Temporary<T> packed(panels_size<T>((k + steps - 1) / steps, width));
        for (long s = 0; s < steps; s++) {
            const long p = k * s / steps, depth = k * (s + 1) / steps - p;
            pack<T>({b.p + p * b.row + j * b.column, b.row, b.column}, depth, width, packed, 0, to - from);
            const Matrix<T> part = gathered<T>({a.p + p * a.column, a.row, a.column}, m, depth, width);
            block(m, width, depth, part, Panels<T>{packed, N, N * depth}, c + j, ldc, add || s > 0,
                  s + 1 < steps ? nullptr : more_of(finish, j));
            if (finish.row_sums && from == 0) add_row_sums(m, depth, part, finish.row_sums);
        }
        finish_rows(m, width, c + j, ldc, finish, 0, j);
    });
}

// One row times a matrix that no cache holds and that lies in rows: a few of these are read side by side, each a run of memory.
template <class T>
static void along_rows(long n, long k, const T* x, long step, const T* b, long b_row, T* c, bool add, const Finish<T>& finish) {
    constexpr long W = WIDTH<T>, ROWS = 8;
    parallel_range((n + W - 1) / W, std::max(1L, long(SMALL / 8) / (k * W)), [&](long first, long last) {
        const long j = first * W, width = std::min(n, last * W) - j;
        for (long p = 0; p < k; p += ROWS) {
            const long rows = std::min(ROWS, k - p);
            const bool more = add || p > 0;
            const T* from = b + p * b_row + j;
            Vec<T> factors[ROWS];
            for (long r = 0; r < ROWS; r++) factors[r] = splat(r < rows ? x[(p + r) * step] : T(0));
            long i = 0;
            if (rows == ROWS)
                for (; i + W <= width; i += W) {
                    Vec<T> acc = factors[0] * load(from + i);
#pragma GCC unroll 8
                    for (long r = 1; r < ROWS; r++) acc += factors[r] * load(from + r * b_row + i);
                    store(c + j + i, more ? load(c + j + i) + acc : acc);
                }
            for (; i < width; i += W) {
                const long rest = std::min(W, width - i);
                Vec<T> acc{};
                for (long r = 0; r < rows; r++) acc += factors[r] * part(from + r * b_row + i, rest);
                store(c + j + i, more ? load(c + j + i, rest) + acc : acc, rest);
            }
        }
        finish_rows(1, width, c + j, n, finish, 0, j, false);
    });
}

template <class T>
void product(long m, long n, long k, const Matrix<T>& a, const Matrix<T>& b, T* c, long ldc, bool add, const Finish<T>& finish) {
    constexpr long N = TILE_COLUMNS<T>;
    if (m == 1 && b.column == 1 && b.row >= n && k > 1 && n >= 4 * N && double(n) * k > ALONG) {
        along_rows(n, k, a.p, a.column, b.p, b.row, c, add, finish);
        all_row_sums(m, k, a, finish.row_sums);
        return;
    }
    if (k > 1 && ((m <= THIN && b.row == 1 && a.column == 1) || (n <= THIN && b.row == 1 && a.column == 1))) {
        if (m <= n) dots(m, n, k, a.p, a.row, b.p, b.column, c, ldc, 1L, add);
        else dots(n, m, k, b.p, b.column, a.p, a.row, c, 1L, ldc, add);
        finish_rows(m, n, c, ldc, finish, 0, 0, false);
        all_row_sums(m, k, a, finish.row_sums);
        return;
    }
    if (b.row == 1 && b.column != 1 && a.column == 1 && !add && 2 * m <= n && double(m) * n * k > 1e6) {
        // B is the larger and would have to be turned to be packed: C's transposition takes it as it lies.
        const Temporary<T> turned(m * n);
        product<T>(n, m, k, Matrix<T>{b.p, b.column, 1}, Matrix<T>{a.p, 1, a.row}, static_cast<T*>(turned), m, false,
                   {finish.by_row, finish.by_column, finish.then});
        turn<T>(turned, n, m, c, ldc);
        const After& after = finish.after;
        if (after.run) parallel_range(m, 1, [&](long first, long last) { after.run(after.what, first, 0, last - first, n); });
        all_row_sums(m, k, a, finish.row_sums);
        return;
    }
    if (b.column == 1 && n % N == 0 && m <= TILE_ROWS) {  // read once: where it lies is as good as packed
        product(m, n, k, a, Panels<T>{b.p, b.row, N}, c, ldc, add, finish);
        return;
    }
    if (m <= ROW_BLOCK && panels_of<T>(n) >= 2 * threads()) return by_columns(m, n, k, a, b, c, ldc, add, finish);
    // B is packed a part of the summed dimension at a time: the part is still in cache when it is multiplied.
    const long panels = panels_of<T>(n), steps = std::max((k + K_BLOCK - 1) / K_BLOCK, 1L);
    const Temporary<T> packed(panels_size<T>((k + steps - 1) / steps, n));
    for (long s = 0; s < steps; s++) {
        const long p = k * s / steps, depth = k * (s + 1) / steps - p;
        const Matrix<T> left{a.p + p * a.column, a.row, a.column}, right{b.p + p * b.row, b.row, b.column};
        if (double(m) * n * depth < SMALL || double(depth) * n < 16384) pack<T>(right, depth, n, packed, 0, panels);
        else parallel(panels, [&](long q, int) { pack<T>(right, depth, n, packed, q, q + 1); });
        Finish<T> then = s + 1 == steps ? finish : Finish<T>{};
        then.row_sums = finish.row_sums;
        product(m, n, depth, left, Panels<T>{packed, N, N * depth}, c, ldc, add || s > 0, then);
    }
}

#define INSTANCES(T)                                                                                                  \
    template void pack<T>(const Matrix<T>&, long, long, T*, long, long);                                              \
    template void block<T>(long, long, long, const Matrix<T>&, const Panels<T>&, T*, long, bool, const T*);           \
    template void product<T>(long, long, long, const Matrix<T>&, const Panels<T>&, T*, long, bool, const Finish<T>&); \
    template void product<T>(long, long, long, const Matrix<T>&, const Matrix<T>&, T*, long, bool, const Finish<T>&); \
    template <> ProductKernels<T> product_kernels<T>() { return {product<T>}; }
INSTANCES(float)
INSTANCES(double)

}  // namespace dovetail::ISA
