"""With the core alone the names of the feature table are there; of those that plugins bring the error says what to install."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.contracts.sources import ROOT

# Names that the table has and a plugin brings, each with its whole namespace or subject (docs/decisions/0002-size.md).
ELSEWHERE = {
    "dovetail-science": """
        creation.sparse_coo_tensor creation.sparse_csc_tensor creation.sparse_csr_tensor creation.sparse_bsc_tensor
        creation.sparse_bsr_tensor creation.sparse_compressed_tensor protocol_conversions.to_sparse
        protocol_legacy.sparse.FloatTensor
        elementwise.igamma protocol_linalg.ldl_factor protocol_linalg.ldl_factor_ex protocol_linalg.ldl_solve nn_utils.prune
    """,
    "dovetail-train": "other_surfaces.utils.tensorboard.SummaryWriter",
    "dovetail-torch": """
        save_load.serialization.add_safe_globals save_load.serialization.safe_globals save_load.serialization.register_package
        save_load.serialization.skip_data creation.from_file protocol_attributes.storage
        data.IterDataPipe data.MapDataPipe data.DFIterDataPipe data.DataChunk data.functional_datapipe data.argument_validation
        data.guaranteed_datapipes_determinism data.non_deterministic data.runtime_validation data.runtime_validation_disabled
        other_surfaces.library.custom_op other_surfaces.library.register_fake other_surfaces.library.register_autocast
        other_surfaces.library.register_vmap other_surfaces.overrides.TorchFunctionMode
        other_surfaces.multiprocessing.spawn other_surfaces.profiler.profile other_surfaces.utils._pytree
    """,
    "dovetail-mpi": """
        save_load.distributed.checkpoint other_surfaces.distributed big_models.distributed.fsdp.fully_shard
        big_models.distributed.tensor.DTensor big_models.distributed.device_mesh.DeviceMesh big_models.distributed.tensor.parallel
        big_models.distributed.pipelining big_models.distributed.optim.ZeroRedundancyOptimizer
    """,
    "dovetail-onnx": "other_surfaces.onnx.export",
}
GROUPS = {"protocol_distributions": "dovetail-science", "protocol_special": "dovetail-science"}

PROGRAM = """
import contextlib, io, re, warnings
import numpy as np
import dovetail as dv
from tests.parity.surface_kit import kit
from tests.parity.surface_samples import names

draw = np.random.default_rng(2).random
shapes = dict(x=(2, 3), y=(2, 3), v=(3,), img=(2, 3, 8, 8), seq=(5, 2, 3), pos=(2, 3), unit=(2, 3), z=(0, 3), s=())
made = {name: draw(shape) for name, shape in shapes.items()}
made |= {"m": np.eye(3), "i": np.array([[0, 2, 1], [2, 2, 0]]), "b": draw((2, 3)) > 0.5, "c": draw((2, 3)) + 1j}
for name in names():
    answered, asked = 0, []
    for sample in name.samples:
        space = {given: dv.tensor(made[given].copy(), requires_grad=made[given].dtype == float) for given in sample.uses}
        space |= {"T": dv, "F": dv.nn.functional, "np": np, "nn": dv.nn, "optim": dv.optim} | kit(dv)
        with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            try:
                eval(sample.code, space)
                answered += 1
            except Exception as error:
                asked += re.findall(r"dovetail-(?!cpu)\\w+", str(error))[:1]
            finally:
                dv.set_default_dtype(dv.float32), dv.set_default_device(None), dv.set_grad_enabled(True)
    if len(asked) > answered:
        print(name.id, *sorted(set(asked)))
print("names", len({name.id for name in names()}))
"""


def test_names_of_the_table_are_the_cores() -> None:
    """A name is a plugin's where more of its samples ask for that than are answered."""
    environment = {**os.environ, "DOVETAIL_PLUGINS": "none"}
    run = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    *rows, (_, count) = [line.split() for line in run.stdout.splitlines()]
    found = {name: " ".join(asked) for name, *asked in rows}
    listed = {name: plugin for plugin, text in ELSEWHERE.items() for name in text.split()}
    listed |= {name: plugin for name in found for group, plugin in GROUPS.items() if name.startswith(f"{group}.")}
    assert int(count) > 700
    assert found == listed
