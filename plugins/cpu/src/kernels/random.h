// Random numbers: the draws of the core's streams (core/dovetail_numerics/streams), and what they do after them.
#pragma once
#include <cstdint>

namespace dovetail {

template <class T> struct RandomKernels {
    // Rows of sixteen uniforms into normals, in place: eight radii, then eight angles; cosines go first. Null for double.
    void (*box_muller)(T* rows, long count, T mean, T std);
    // The next `blocks` of 624 draws of a Mersenne Twister whose own are used up; the key moves on.
    void (*twist)(uint32_t* key, uint32_t* out, long blocks);
    // Whether the lower 53 bits of each of n pairs of draws, the high half first, are less than a number.
    void (*below)(const uint32_t* words, long n, uint64_t bound, uint8_t* out);
    // out = x · mask · scale, with a mask of zeros and ones.
    void (*scaled)(const T* x, const uint8_t* mask, T scale, long n, T* out);
};

}  // namespace dovetail
