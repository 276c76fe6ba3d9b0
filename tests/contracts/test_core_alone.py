"""With the core alone MUST and SHOULD names of the feature table are there; of the few that are not the error says what to install."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.contracts.sources import ROOT

# Names that the table has and a plugin brings: a subject of its own, or what only ported programs ask for (docs/decisions/0002-size.md).
ELSEWHERE = {
    "dovetail-science": """
        creation.sparse_coo_tensor protocol_legacy.sparse.FloatTensor
        protocol_autograd.functional.hessian protocol_autograd.functional.hvp protocol_autograd.functional.jacobian
        protocol_autograd.functional.jvp protocol_autograd.functional.vjp
        nn_utils.parametrizations.orthogonal nn_utils.parametrize.register_parametrization
    """,
    "dovetail-train": "other_surfaces.utils.tensorboard.SummaryWriter",
    "dovetail-torch": """
        save_load.serialization.add_safe_globals save_load.serialization.safe_globals device_surface.cuda.Event device_surface.cuda.Stream
        other_surfaces.multiprocessing.spawn other_surfaces.profiler.profile other_surfaces.utils._pytree
    """,
    "dovetail-mpi": "save_load.distributed.checkpoint other_surfaces.distributed",
    "dovetail-onnx": "other_surfaces.onnx.export",
}
GROUPS = {"protocol_distributions": "dovetail-science", "protocol_special": "dovetail-science", "swa_utils": "dovetail-train"}

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
    if name.mark == "rare":
        continue
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
print("names", len({name.id for name in names() if name.mark != "rare"}))
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
    assert int(count) > 500
    assert found == listed
