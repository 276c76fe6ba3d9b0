"""One program in many processes, by MPI: ``dovetail.distributed``, ``DistributedDataParallel``, `dovetail launch`."""
