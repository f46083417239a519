"""What src and out may be, and where results go."""

import ctypes
from array import array

import pytest

import libparmap


# ---- room for results ------------------------------------------------------------------------------------------------


def test_results_go_to_out_which_is_returned(kernels):
    src, out = array("d", range(100)), array("d", bytes(800))
    assert libparmap.map_buffer(kernels.double_plus_one, src, out) is out
    assert out == array("d", range(1, 101))
    assert src == array("d", range(100))


def test_src_can_be_out(kernels):
    values = array("d", range(100))
    libparmap.map_buffer(kernels.double_plus_one, values, values)
    assert values == array("d", range(1, 101))


def test_an_array_gives_an_array(kernels):
    assert libparmap.map_buffer(kernels.int32_plus_one, array("i", [1, 2])) == array("i", [2, 3])
    assert libparmap.map_buffer(kernels.int64_plus_one, array("l", [1, 2])) == array("q", [2, 3])


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_bytes_give_a_bytearray(kernels, kind):
    result = libparmap.map_buffer(kernels.byte_plus_one, kind(b"HAL"))
    assert type(result) is bytearray and result == b"IBM"


def test_a_memoryview_gives_an_array_of_its_format(kernels):
    view = memoryview(bytearray(16)).cast("q")
    result = libparmap.map_buffer(kernels.int64_plus_one, view)
    assert type(result) is array and result == array("q", [1, 1])


def test_a_memoryview_of_two_axes_gives_one_of_the_same_shape(kernels):
    view = memoryview(array("d", range(6))).cast("B").cast("d", (2, 3))
    result = libparmap.map_buffer(kernels.double_plus_one, view)
    assert result.shape == (2, 3) and result.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_a_ctypes_array_is_a_buffer_too(kernels):
    values = (ctypes.c_double * 3)(1, 2, 3)
    assert libparmap.map_buffer(kernels.double_plus_one, values) == array("d", [2, 3, 4])
    libparmap.map_buffer(kernels.double_plus_one, values, values)
    assert list(values) == [2, 3, 4]


def test_dtype_is_the_type_of_results(kernels):
    rows = memoryview(array("d", range(6))).cast("B").cast("d", (3, 2))
    out = array("d", bytes(24))
    libparmap.map_buffer(kernels.sum_of_row, rows, out, user_data=array("q", [2]))
    assert out == array("d", [1, 5, 9])
    assert libparmap.map_buffer(kernels.item_plus_one, array("d", [0.0]), dtype="q").typecode == "q"


def test_dtype_must_agree_with_out(kernels):
    values = array("d", [1])
    assert libparmap.map_buffer(kernels.double_plus_one, values, values, dtype="d") is values
    with pytest.raises(TypeError, match="dtype is 'f' but out holds 'd': leave dtype out"):
        libparmap.map_buffer(kernels.double_plus_one, values, values, dtype="f")


@pytest.mark.parametrize("dtype", ["x", "dd", 3, object()])
def test_a_dtype_that_is_none_is_refused(kernels, dtype):
    with pytest.raises(TypeError, match="dtype is .*: pass a letter of array.array"):
        libparmap.map_buffer(kernels.double_plus_one, array("d", [1]), dtype=dtype)


def test_a_source_that_array_knows_no_type_for_needs_out(kernels):
    flags = memoryview(bytearray(3)).cast("?")
    with pytest.raises(TypeError, match="format '\\?', for which array.array has no type: pass out="):
        libparmap.map_buffer(kernels.byte_plus_one, flags)
    assert libparmap.map_buffer(kernels.byte_plus_one, flags, bytearray(3)) == b"\1\1\1"


@pytest.mark.parametrize("n", [0, 1, 2, 3, 1000, 100_001])
def test_any_number_of_elements_is_mapped_whole(kernels, n):
    values = array("i", range(n))
    assert libparmap.map_buffer(kernels.int32_plus_one, values) == array("i", range(1, n + 1))


def test_no_items_are_fine(kernels):
    assert libparmap.map_buffer(kernels.item_plus_one, array("q")) == array("q")
    assert libparmap.map_buffer(kernels.byte_plus_one, b"") == b""


# ---- NumPy -----------------------------------------------------------------------------------------------------------


def test_a_numpy_array_gives_one_of_its_shape_and_dtype(kernels):
    np = pytest.importorskip("numpy")
    values = np.arange(6.0).reshape(2, 3)
    result = libparmap.map_buffer(kernels.double_plus_one, values)
    assert type(result) is np.ndarray and result.dtype == np.float64
    assert (result == values + 1).all()


@pytest.mark.parametrize("dtype, element", [("f8", "double"), ("f4", "float"), ("i8", "int64"), ("i4", "int32")])
def test_each_numpy_dtype_has_its_element_functions(kernels, dtype, element):
    np = pytest.importorskip("numpy")
    values = np.arange(1000, dtype=dtype)
    assert (libparmap.map_buffer(getattr(kernels, f"{element}_plus_one"), values) == values + 1).all()


def test_a_row_of_a_matrix_is_one_item(kernels):
    np = pytest.importorskip("numpy")
    rows = np.arange(12.0).reshape(4, 3)
    sums = libparmap.map_buffer(kernels.sum_of_row, rows, np.empty(4), user_data=np.array([3]))
    assert (sums == rows.sum(axis=1)).all()


def test_dtype_makes_numpy_results_of_another_type(kernels):
    np = pytest.importorskip("numpy")
    result = libparmap.map_buffer(kernels.item_plus_one, np.arange(4), dtype=np.uint64)
    assert result.dtype == np.uint64 and result.tolist() == [1, 2, 3, 4]
    assert libparmap.map_buffer(kernels.item_plus_one, array("q", [1]), dtype=np.int64) == array("q", [2])


def test_numpy_arrays_with_fields_are_items(kernels):
    np = pytest.importorskip("numpy")
    records = np.zeros(3, dtype=[("number", "i8"), ("Other", "f8")])
    records["number"] = [1, 2, 3]
    result = libparmap.map_buffer(kernels.item_plus_one, records)
    assert result["number"].tolist() == [2, 3, 4]


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("src", [None, True, 3, [1.0], "text", object()])
def test_a_source_without_memory_is_refused(kernels, src):
    with pytest.raises(TypeError, match="src is .*: pass an object that gives access to its memory"):
        libparmap.map_buffer(kernels.double_plus_one, src)
    with pytest.raises(TypeError, match="src is .*: pass an object that gives access to its memory"):
        libparmap.map_buffer(kernels.double_plus_one, src, array("d", [1]))


@pytest.mark.parametrize("out", [True, 3, [1.0], "text"])
def test_an_out_without_memory_is_refused(kernels, out):
    with pytest.raises(TypeError, match="out is .*: pass an object that gives access to its memory"):
        libparmap.map_buffer(kernels.double_plus_one, array("d", [1]), out)


@pytest.mark.parametrize("typecode", "fqiB")
def test_a_wrong_type_is_refused(kernels, typecode):
    doubles, others = array("d", [0] * 8), array(typecode, [0] * 8)
    sentence = r"{} holds elements of format .*, but func is double \(double\): convert the array"
    with pytest.raises(TypeError, match=sentence.format("src")):
        libparmap.map_buffer(kernels.double_plus_one, others)
    with pytest.raises(TypeError, match=sentence.format("out")):
        libparmap.map_buffer(kernels.double_plus_one, doubles, others)


def test_unsigned_numbers_are_not_taken_for_signed_ones(kernels):
    with pytest.raises(TypeError, match='src holds elements of format "Q"'):
        libparmap.map_buffer(kernels.int64_plus_one, array("Q", [1]))


def test_numbers_of_the_other_byte_order_are_refused(kernels):
    np = pytest.importorskip("numpy")
    values = np.arange(3.0).astype(np.dtype("f8").newbyteorder())
    with pytest.raises(TypeError, match="src holds elements of format"):
        libparmap.map_buffer(kernels.double_plus_one, values)


@pytest.mark.parametrize("read_only", [bytes(8), memoryview(bytes(8)), memoryview(array("d", [0])).toreadonly()])
def test_a_read_only_out_is_refused(kernels, read_only):
    with pytest.raises(BufferError, match="out is read-only: pass an array that can be written to"):
        libparmap.map_buffer(kernels.double_plus_one, array("d", [1]), read_only)


def test_a_read_only_numpy_out_is_refused_and_a_read_only_source_is_fine(kernels):
    np = pytest.importorskip("numpy")
    values = np.arange(3.0)
    values.flags.writeable = False
    with pytest.raises(BufferError, match="out is read-only"):
        libparmap.map_buffer(kernels.double_plus_one, values, values)
    assert libparmap.map_buffer(kernels.double_plus_one, values).tolist() == [1, 2, 3]


def test_arrays_with_gaps_are_refused(kernels):
    np = pytest.importorskip("numpy")
    values = np.arange(6.0)
    for gaps in (values[::2], values[::-1], values.reshape(2, 3).T, values.reshape(3, 2)[:, :1]):
        with pytest.raises(BufferError, match="src is not contiguous: pass a copy"):
            libparmap.map_buffer(kernels.double_plus_one, gaps)
        with pytest.raises(BufferError, match="out is not contiguous"):
            libparmap.map_buffer(kernels.double_plus_one, np.zeros(gaps.shape), gaps)


def test_memory_that_is_not_aligned_is_refused(kernels):
    memory = bytearray(33)
    view = memoryview(memory)[1:].cast("d")
    with pytest.raises(BufferError, match="memory of src is not aligned"):
        libparmap.map_buffer(kernels.double_plus_one, view)


def test_mismatched_lengths_are_refused(kernels):
    with pytest.raises(ValueError, match=r"src has shape \(3,\) but out has shape \(2,\): the shapes must be"):
        libparmap.map_buffer(kernels.double_plus_one, array("d", [1, 2, 3]), array("d", [1, 2]))
    with pytest.raises(ValueError, match=r"\(3,\) but .*\(2,\): the lengths of the first axis must be the same"):
        libparmap.map_buffer(kernels.item_plus_one, array("q", [1, 2, 3]), array("q", [1, 2]))


def test_the_same_number_of_elements_in_another_shape_is_refused(kernels):
    np = pytest.importorskip("numpy")
    with pytest.raises(ValueError, match=r"src has shape \(2, 3\) but out has shape \(3, 2\)"):
        libparmap.map_buffer(kernels.double_plus_one, np.zeros((2, 3)), np.zeros((3, 2)))


@pytest.mark.parametrize("src, out", [((0, 10), (1, 11)), ((1, 11), (0, 10)), ((0, 10), (9, 19))])
def test_overlapping_arrays_are_refused(kernels, src, out):
    view = memoryview(array("d", range(20)))
    with pytest.raises(ValueError, match="src and out overlap: pass the same array twice to map in place"):
        libparmap.map_buffer(kernels.double_plus_one, view[slice(*src)], view[slice(*out)])


def test_neighbouring_arrays_do_not_overlap(kernels):
    view = memoryview(array("d", range(20)))
    libparmap.map_buffer(kernels.double_plus_one, view[:10], view[10:])
    assert view.tolist() == [*range(10), *range(1, 11)]


def test_in_place_results_of_another_size_overlap(kernels):
    np = pytest.importorskip("numpy")
    rows = np.zeros((4, 2))
    with pytest.raises(ValueError, match="src and out overlap"):
        libparmap.map_buffer(kernels.sum_of_row, rows, rows.reshape(-1)[:4], user_data=np.array([2]))


def test_an_array_without_axes_is_refused(kernels):
    np = pytest.importorskip("numpy")
    with pytest.raises(ValueError, match="src has no axis to map over"):
        libparmap.map_buffer(kernels.double_plus_one, np.array(1.0))


def test_an_array_of_python_objects_is_refused(kernels):
    np = pytest.importorskip("numpy")
    for objects in (np.array([None, None]), np.zeros(2, dtype=[("a", "i8"), ("b", "O")])):
        with pytest.raises(TypeError, match="src holds Python objects .* which a C function cannot compute with"):
            libparmap.map_buffer(kernels.item_plus_one, objects)


def test_items_without_bytes_are_refused(kernels):
    np = pytest.importorskip("numpy")
    with pytest.raises(ValueError, match="in_size"):
        libparmap.map_buffer(kernels.item_plus_one, np.zeros((3, 0), dtype="i8"))


def test_a_buffer_cannot_be_resized_while_it_is_mapped(kernels):
    values, refused = bytearray(24), []

    def grow(done, total):
        try:
            values.append(0)
        except BufferError:
            refused.append(done)

    libparmap.map_buffer(kernels.byte_plus_one, values, values, progress=grow)
    assert refused and len(values) == 24
    values.append(0)
