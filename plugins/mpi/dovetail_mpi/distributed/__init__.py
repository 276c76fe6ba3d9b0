"""``dovetail.distributed``: one program in many processes, by PyTorch's names. A world of one process needs no MPI.

The processes are those that an MPI launcher started: `dovetail launch -n 4 train.py`, mpiexec, srun.
"""

from __future__ import annotations

from ..backends import (
    Backend,
    is_backend_available,
    is_gloo_available,
    is_mpi_available,
    is_nccl_available,
    is_ucc_available,
    is_xccl_available,
)  # fmt: skip
from ..collectives import (
    all_gather_into_tensor,
    all_reduce,
    all_to_all_single,
    barrier,
    broadcast,
    monitored_barrier,
    reduce,
    reduce_scatter_tensor,
)  # fmt: skip
from ..errors import DistBackendError, DistError, DistNetworkError
from ..group import (
    GroupMember,
    ProcessGroup,
    ReduceOp,
    default_pg_timeout,
    destroy_process_group,
    get_backend,
    get_global_rank,
    get_group_rank,
    get_node_local_rank,
    get_process_group_ranks,
    get_rank,
    get_world_size,
    group,
    init_process_group,
    is_available,
    is_initialized,
    is_torchelastic_launched,
    new_group,
    new_subgroups,
    new_subgroups_by_enumeration,
)  # fmt: skip
from ..lists import all_gather, all_to_all, gather, reduce_scatter, scatter
from ..norm import sync_batch_norm
from ..objects import all_gather_object, broadcast_object_list, gather_object, recv_object_list, scatter_object_list, send_object_list
from ..p2p import P2POp, batch_isend_irecv, irecv, isend, recv, send
from ..work import Work

__all__ = [
    "Backend", "DistBackendError", "DistError", "DistNetworkError", "GroupMember", "P2POp", "ProcessGroup", "ReduceOp", "Work",
    "all_gather", "all_gather_into_tensor", "all_gather_object", "all_reduce", "all_to_all", "all_to_all_single", "barrier",
    "batch_isend_irecv", "broadcast", "broadcast_object_list", "default_pg_timeout", "destroy_process_group", "gather", "gather_object",
    "get_backend", "get_global_rank", "get_group_rank", "get_node_local_rank", "get_process_group_ranks", "get_rank", "get_world_size",
    "group", "init_process_group", "irecv", "is_available", "is_backend_available", "is_gloo_available", "is_initialized",
    "is_mpi_available", "is_nccl_available", "is_torchelastic_launched", "is_ucc_available", "is_xccl_available", "isend",
    "monitored_barrier", "new_group", "new_subgroups", "new_subgroups_by_enumeration", "recv", "recv_object_list", "reduce",
    "reduce_scatter", "reduce_scatter_tensor", "scatter", "scatter_object_list", "send", "send_object_list", "sync_batch_norm",
]  # fmt: skip
