"""Fifty mistakes that newcomers make: functions of `torch`, with what Dovetail answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["MISTAKES", "Mistake"]

Mistake = Callable[[Any], Any]
MISTAKES: list[tuple[str, tuple[str, ...], Mistake]] = []  # the class that ours has, words that its message holds, the mistake


def mistake(kind: str, *words: str) -> Callable[[Mistake], Mistake]:
    """Add a mistake: its docstring is the title, its body the snippet."""

    def add(function: Mistake) -> Mistake:
        MISTAKES.append((kind, words, function))
        return function

    return add


@mistake("ShapeError", "linear", "last dimension of input, 28, must be in_features, 784", "input.flatten(1)")
def linear_unflattened(torch: Any) -> Any:
    """A Linear layer given pictures that were not flattened"""
    torch.nn.Linear(784, 10)(torch.randn(32, 28, 28))


@mistake("ShapeError", "conv2d", "3", "1", "channels", "expand")
def conv_channels(torch: Any) -> Any:
    """A convolution for colour given grey pictures"""
    torch.nn.Conv2d(3, 16, 3)(torch.randn(8, 1, 28, 28))


@mistake("ShapeError", "conv2d", "32", "3", "channels")
def conv_last(torch: Any) -> Any:
    """A convolution given channels last"""
    torch.nn.Conv2d(3, 16, 3)(torch.randn(8, 32, 32, 3))


@mistake("ShapeError", "conv2d", "28", "unsqueeze")
def conv_unsqueeze(torch: Any) -> Any:
    """A convolution given a grey picture without a dimension for the channel"""
    torch.nn.Conv2d(1, 16, 3)(torch.randn(28, 28))


@mistake("ShapeError", "conv2d", "Kernel size: (5 x 5)", "pad", "smaller kernel")
def conv_small(torch: Any) -> Any:
    """A kernel larger than what is left of the picture"""
    torch.nn.Conv2d(3, 16, 5)(torch.randn(8, 3, 4, 4))


@mistake("ShapeError", "max_pool2d", "(3x0x0)")
def pool_small(torch: Any) -> Any:
    """One pooling too many"""
    torch.nn.MaxPool2d(2)(torch.randn(8, 3, 1, 1))


@mistake("ShapeError", "matmul", "3", "4")
def matmul_shapes(torch: Any) -> Any:
    """A matrix product whose inner sizes differ"""
    torch.randn(2, 3) @ torch.randn(4, 5)


@mistake("DtypeError", "matmul", "float != double", "input.to(dovetail.float64)")
def matmul_dtypes(torch: Any) -> Any:
    """A matrix product of float and double"""
    torch.randn(2, 3) @ torch.randn(3, 4, dtype=torch.float64)


@mistake("DtypeError", "linear", "long int != float", "input.to(dovetail.float32)")
def linear_long(torch: Any) -> Any:
    """A Linear layer given integers"""
    torch.nn.Linear(3, 1)(torch.tensor([[1, 2, 3]]))


@mistake("DtypeError", "linear", "double != float", "input.to(dovetail.float32)")
def linear_double(torch: Any) -> Any:
    """A Linear layer given an array of NumPy, which is float64"""
    import numpy

    torch.nn.Linear(3, 1)(torch.from_numpy(numpy.zeros((2, 3))))


@mistake("ShapeError", "add", "3", "4")
def broadcast(torch: Any) -> Any:
    """A sum of shapes that do not broadcast"""
    torch.randn(2, 3) + torch.randn(2, 4)


@mistake("ShapeError", "cat", "3", "4")
def cat_sizes(torch: Any) -> Any:
    """Joining tensors whose other sizes differ"""
    torch.cat([torch.randn(2, 3), torch.randn(2, 4)])


@mistake("ShapeError", "stack", "3", "4")
def stack_sizes(torch: Any) -> Any:
    """Stacking tensors of different lengths"""
    torch.stack([torch.zeros(3), torch.zeros(4)])


@mistake("ShapeError", "view")
def view_strides(torch: Any) -> Any:
    """A view of a transposed tensor"""
    torch.randn(2, 3).t().view(6)


@mistake("ShapeError", "reshape", "6", "4")
def reshape_size(torch: Any) -> Any:
    """A shape that the elements do not fill"""
    torch.arange(6).reshape(4, 2)


@mistake("ShapeError", "-3")
def negative_size(torch: Any) -> Any:
    """A negative size"""
    torch.zeros(2, -3)


@mistake("RangeError", "sum", "2", "count from 0", "-1")
def wrong_dim(torch: Any) -> Any:
    """A dimension that the tensor does not have"""
    torch.randn(3, 4).sum(dim=2)


@mistake("RangeError", "5", "3")
def index_range(torch: Any) -> Any:
    """An index past the end"""
    torch.randn(3, 4)[5]


@mistake("RangeError", "2")
def too_many_indices(torch: Any) -> Any:
    """More indices than dimensions"""
    torch.randn(3, 4)[0, 0, 0]


@mistake("ItemError", "item")
def item_many(torch: Any) -> Any:
    """item() of a whole batch of losses"""
    torch.randn(8).item()


@mistake("ShapeError", "any", "all")
def bool_many(torch: Any) -> Any:
    """A comparison of tensors as a condition"""
    if torch.tensor([1, 2]) == torch.tensor([1, 3]):
        pass


@mistake("ValueRangeError", "1", "2")
def ragged(torch: Any) -> Any:
    """A tensor of lists of different lengths"""
    torch.tensor([[1, 2, 3], [4, 5]])


@mistake("RangeError", "3", "cross_entropy")
def class_range(torch: Any) -> Any:
    """Labels that count from one"""
    torch.nn.functional.cross_entropy(torch.randn(2, 3), torch.tensor([1, 3]))


@mistake("DtypeError", "cross_entropy", "Float", ".long()")
def float_targets(torch: Any) -> Any:
    """Class indices as floats"""
    torch.nn.functional.cross_entropy(torch.randn(2, 3), torch.tensor([0.0, 2.0]))


@mistake("ValueRangeError", "cross_entropy", "4", "2")
def target_batch(torch: Any) -> Any:
    """Fewer labels than samples"""
    torch.nn.functional.cross_entropy(torch.randn(4, 3), torch.tensor([0, 2]))


@mistake("ShapeError", "cross_entropy", "squeeze")
def target_column(torch: Any) -> Any:
    """Labels as a column"""
    torch.nn.functional.cross_entropy(torch.randn(4, 3), torch.zeros(4, 1, dtype=torch.int64))


@mistake("UserWarning", "mse_loss", "squeeze(1)")
def mse_broadcast(torch: Any) -> Any:
    """A loss that broadcasts a column against a row"""
    torch.nn.functional.mse_loss(torch.randn(4, 1), torch.randn(4))


@mistake("Improbable", "sigmoid")
def bce_range(torch: Any) -> Any:
    """BCELoss without the sigmoid"""
    torch.nn.BCELoss()(torch.tensor([1.5, -0.5]), torch.tensor([1.0, 0.0]))


@mistake("ValueRangeError", "squeeze", "[4, 1]")
def bce_column(torch: Any) -> Any:
    """BCEWithLogitsLoss of a column, with targets in a row"""
    torch.nn.BCEWithLogitsLoss()(torch.randn(4, 1), torch.tensor([0.0, 1.0, 1.0, 0.0]))


@mistake("UserWarning", "softmax", "dim=1 was taken", "dim=-1")
def softmax_dim(torch: Any) -> Any:
    """A softmax that does not say over what"""
    torch.nn.functional.softmax(torch.randn(2, 3))


@mistake("GradError", "backward", "scalar")
def backward_vector(torch: Any) -> Any:
    """backward() on losses that were not averaged"""
    x = torch.randn(3, requires_grad=True)
    (x * 2).backward()


@mistake("GradError", "retain_graph")
def backward_twice(torch: Any) -> Any:
    """backward() twice"""
    loss = torch.randn(3, requires_grad=True).square().sum()
    loss.backward()
    loss.backward()


@mistake("GradError", "requires_grad")
def backward_nothing(torch: Any) -> Any:
    """backward() where nothing requires a gradient"""
    torch.randn(3).sum().backward()


@mistake("GradError", "leaf", "no_grad")
def inplace_leaf(torch: Any) -> Any:
    """A step of gradient descent by hand, in place"""
    w = torch.ones(3, requires_grad=True)
    w -= 0.1


@mistake("GradError", "detach")
def numpy_grad(torch: Any) -> Any:
    """numpy() on a tensor that requires a gradient"""
    torch.ones(3, requires_grad=True).numpy()


@mistake("DtypeError", "int64", "float")
def integer_grad(torch: Any) -> Any:
    """A gradient of integers"""
    torch.tensor([1, 2, 3], requires_grad=True)


@mistake("UnknownAttribute", "super().__init__()")
def forgotten_super(torch: Any) -> Any:
    """A module that forgot super().__init__()"""

    class Net(torch.nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            self.layer = torch.nn.Linear(2, 2)

    Net()


@mistake("UnsupportedError", "forward")
def forgotten_forward(torch: Any) -> Any:
    """A module whose forward is missing, or misspelt"""

    class Net(torch.nn.Module):  # type: ignore[name-defined, misc]
        def foward(self, x: Any) -> Any:
            return x

    Net()(torch.zeros(2))


@mistake("NotATensor", "linear", "ReLU")
def class_called(torch: Any) -> Any:
    """A layer made with the tensor, instead of made and then called"""
    torch.nn.Linear(2, 2)(torch.nn.ReLU(torch.randn(3, 2)))


@mistake("TypeMismatch", "forward", "besides self", "(input)")
def forward_arguments(torch: Any) -> Any:
    """A layer called with one argument too many"""
    torch.nn.Linear(2, 2)(torch.randn(3, 2), torch.randn(3, 2))


@mistake("ValueRangeError", "empty")
def optimizer_empty(torch: Any) -> Any:
    """An optimizer of a model without parameters"""
    torch.optim.SGD(torch.nn.ReLU().parameters(), lr=0.1)


@mistake("TypeMismatch", "params", "list")
def optimizer_tensor(torch: Any) -> Any:
    """An optimizer given a tensor instead of a list"""
    torch.optim.Adam(torch.ones(3, requires_grad=True))


@mistake("UserWarning", "optimizer.step()", "scheduler.step()")
def scheduler_first(torch: Any) -> Any:
    """The scheduler's step before the optimizer's"""
    optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.1)
    torch.optim.lr_scheduler.StepLR(optimizer, 10).step()


@mistake("StateDictError", "Missing", "Unexpected", "weight", "consume_prefix")
def state_keys(torch: Any) -> Any:
    """Weights of a model that was wrapped when they were saved"""
    state = {"module." + key: value for key, value in torch.nn.Linear(2, 2).state_dict().items()}
    torch.nn.Linear(2, 2).load_state_dict(state)


@mistake("StateDictError", "weight", "10", "5", "strict=False")
def state_sizes(torch: Any) -> Any:
    """Weights for ten classes into a model of five"""
    torch.nn.Linear(4, 5).load_state_dict(torch.nn.Linear(4, 10).state_dict())


@mistake("ShapeError", "collate", "3", "2")
def loader_sizes(torch: Any) -> Any:
    """A DataLoader of samples of different lengths"""
    next(iter(torch.utils.data.DataLoader([torch.zeros(3), torch.zeros(2)], batch_size=2)))


@mistake("ValueRangeError", "1", "eval()")
def batch_of_one(torch: Any) -> Any:
    """BatchNorm in training with a batch of one"""
    torch.nn.BatchNorm1d(4)(torch.randn(1, 4))


@mistake("RangeError", "embedding", "10")
def embedding_range(torch: Any) -> Any:
    """A token that the embedding does not have"""
    torch.nn.Embedding(10, 4)(torch.tensor([3, 10]))


@mistake("NoDevice", "cuda")
def no_gpu(torch: Any) -> Any:
    """A GPU that is not there"""
    torch.nn.Linear(2, 2).to("cuda")


@mistake("ShapeError", "LSTM", "8", "5", "LSTM(5, 16)")
def lstm_features(torch: Any) -> Any:
    """An LSTM that expects other features than it gets"""
    torch.nn.LSTM(8, 16, batch_first=True)(torch.randn(2, 7, 5))
