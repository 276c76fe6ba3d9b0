// Random numbers: what the core's streams (core/dovetail/random_streams) do after the draws themselves.
#pragma once

namespace dovetail {

template <class T> struct RandomKernels {
    // Rows of sixteen uniforms into normals, in place: eight radii, then eight angles; cosines go first. Null for double.
    void (*box_muller)(T* rows, long count, T mean, T std);
};

}  // namespace dovetail
