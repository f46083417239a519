"""Every way in which a C function can be handed over."""

import ctypes
from array import array

import pytest

import libparmap

PyCapsule_New = ctypes.pythonapi.PyCapsule_New
PyCapsule_New.restype = ctypes.py_object
PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
PyCapsule_SetContext = ctypes.pythonapi.PyCapsule_SetContext
PyCapsule_SetContext.argtypes = [ctypes.py_object, ctypes.c_void_p]

TYPECODES = {"double": "d", "float": "f", "int64": "q", "int32": "i"}


def address_of(function):
    return ctypes.cast(function, ctypes.c_void_p).value


def doubles(n=1000):
    return array("d", range(n))


def one_more(values):
    return array(values.typecode, [value + 1 for value in values])


# ---- ctypes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("element", TYPECODES)
def test_a_ctypes_function_of_each_element_type_maps_every_element(kernels, element):
    values = array(TYPECODES[element], range(1000))
    function = getattr(kernels, f"{element}_plus_one")
    assert libparmap.map_buffer(function, values) == one_more(values)


@pytest.mark.parametrize("element", TYPECODES)
def test_each_element_type_has_a_form_with_user_data(kernels, element):
    values = array(TYPECODES[element], range(1000))
    function = getattr(kernels, f"{element}_plus")
    user_data = function.argtypes[0](1)
    assert libparmap.map_buffer(function, values, user_data=user_data) == one_more(values)


def test_a_ctypes_item_function_gets_the_address_of_each_item(kernels):
    values = array("q", range(1000))
    assert libparmap.map_buffer(kernels.item_plus_one, values) == one_more(values)


def test_ctypes_pointer_types_count_as_addresses(kernels_path):
    function = ctypes.CDLL(str(kernels_path)).item_plus_one
    function.argtypes = [ctypes.POINTER(ctypes.c_longlong), ctypes.POINTER(ctypes.c_longlong), ctypes.c_char_p]
    values = array("q", range(10))
    assert libparmap.map_buffer(function, values) == one_more(values)


def test_a_ctypes_function_without_argtypes_needs_a_signature(kernels_path):
    function = ctypes.CDLL(str(kernels_path)).double_plus_one
    with pytest.raises(TypeError, match="without argtypes: set its argtypes and restype, or pass signature="):
        libparmap.map_buffer(function, doubles())
    values = doubles()
    assert libparmap.map_buffer(function, values, signature="double (double)") == one_more(values)


def test_a_null_ctypes_pointer_is_refused():
    null = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)()
    with pytest.raises(ValueError, match="NULL function pointer"):
        libparmap.map_buffer(null, doubles())


def test_a_ctypes_function_of_other_types_is_refused_with_the_types_that_fit(kernels_path):
    function = ctypes.CDLL(str(kernels_path)).double_plus_one
    function.argtypes, function.restype = [ctypes.c_double, ctypes.c_double], ctypes.c_double
    with pytest.raises(TypeError, match=r"c_double.*functions that can be mapped are .*double \(double\)"):
        libparmap.map_buffer(function, doubles())


def test_a_function_that_needs_the_gil_is_refused():
    function = ctypes.pythonapi.PyLong_AsLong
    function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_long
    with pytest.raises(TypeError, match="needs the GIL: load the library with ctypes.CDLL"):
        libparmap.map_buffer(function, array("q", [1]))


# ---- cffi ------------------------------------------------------------------------------------------------------


@pytest.fixture
def cffi_kernels(kernels_path):
    cffi = pytest.importorskip("cffi")
    ffi = cffi.FFI()
    ffi.cdef(
        "double double_plus_one(double); int64_t int64_plus(int64_t, void *);"
        "int item_plus_one(const void *, void *, void *);"
    )
    return ffi, ffi.dlopen(str(kernels_path))


def test_cffi_functions_of_a_library_are_taken(cffi_kernels):
    _, kernels = cffi_kernels
    values = doubles()
    assert libparmap.map_buffer(kernels.double_plus_one, values) == one_more(values)
    values = array("q", range(1000))
    assert libparmap.map_buffer(kernels.item_plus_one, values) == one_more(values)


def test_a_cffi_pointer_can_be_user_data(cffi_kernels):
    ffi, kernels = cffi_kernels
    values, one = array("q", range(1000)), ffi.new("int64_t *", 1)
    assert libparmap.map_buffer(kernels.int64_plus, values, user_data=one) == one_more(values)


def test_a_null_cffi_pointer_is_refused(cffi_kernels):
    ffi, _ = cffi_kernels
    with pytest.raises(ValueError, match="NULL function pointer"):
        libparmap.map_buffer(ffi.cast("double (*)(double)", 0), doubles())


def test_a_cffi_pointer_to_data_is_refused(cffi_kernels):
    ffi, _ = cffi_kernels
    with pytest.raises(ValueError, match=r'func is "double \*", which is not the signature of a C function'):
        libparmap.map_buffer(ffi.new("double *"), doubles())


# ---- capsules, as SciPy and Cython name them -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["double (double)", "double(double)", "double (double x)", "double (double) noexcept"])
def test_a_capsule_is_named_with_the_signature(kernels, name):
    name, values = name.encode(), doubles()
    capsule = PyCapsule_New(address_of(kernels.double_plus_one), name, None)
    assert libparmap.map_buffer(capsule, values) == one_more(values)


def test_the_context_of_a_capsule_is_its_user_data(kernels):
    values, one = doubles(), ctypes.c_double(1)
    capsule = PyCapsule_New(address_of(kernels.double_plus), b"double (double, void *)", None)
    PyCapsule_SetContext(capsule, ctypes.addressof(one))
    assert libparmap.map_buffer(capsule, values) == one_more(values)


def test_a_capsule_without_a_name_needs_a_signature(kernels):
    values, capsule = doubles(), PyCapsule_New(address_of(kernels.double_plus_one), None, None)
    with pytest.raises(TypeError, match="a PyCapsule without a name: pass signature="):
        libparmap.map_buffer(capsule, values)
    assert libparmap.map_buffer(capsule, values, signature="double (double)") == one_more(values)


@pytest.mark.parametrize(
    "name, error, sentence",
    [
        (b"datetime.datetime_CAPI", ValueError, "not the signature of a C function"),
        (b"double (int)", TypeError, "functions that can be mapped are"),
        (b"long double (long double)", TypeError, "functions that can be mapped are"),
        (b"unsigned int (unsigned int)", TypeError, "functions that can be mapped are"),
        (b"int (void *, void *)", TypeError, "functions that can be mapped are"),
        (b"int (void *, void *, void *, void *, void *)", TypeError, "functions that can be mapped are"),
    ],
)
def test_a_capsule_with_another_name_is_refused(kernels, name, error, sentence):
    capsule = PyCapsule_New(address_of(kernels.double_plus_one), name, None)
    with pytest.raises(error, match=f"the name of the PyCapsule is .*{sentence}"):
        libparmap.map_buffer(capsule, doubles())


# ---- SciPy and Numba -----------------------------------------------------------------------------------------------


def test_a_low_level_callable_brings_its_user_data(kernels):
    scipy = pytest.importorskip("scipy")
    one, values = ctypes.c_double(1), doubles()
    function = scipy.LowLevelCallable(kernels.double_plus, ctypes.cast(ctypes.pointer(one), ctypes.c_void_p))
    assert libparmap.map_buffer(function, values) == one_more(values)


def test_a_low_level_callable_of_a_cffi_function_is_taken(cffi_kernels):
    scipy = pytest.importorskip("scipy")
    values = doubles()
    function = scipy.LowLevelCallable(cffi_kernels[1].double_plus_one)
    assert libparmap.map_buffer(function, values) == one_more(values)


@pytest.mark.parametrize("element", TYPECODES)
def test_a_numba_cfunc_of_each_element_type_is_taken(element):
    numba = pytest.importorskip("numba")
    name = {"double": "float64", "float": "float32"}.get(element, element)
    function = numba.cfunc(f"{name}({name})")(lambda x: x + 1)
    values = array(TYPECODES[element], range(1000))
    assert libparmap.map_buffer(function, values) == one_more(values)


def test_a_numba_item_function_is_taken():
    numba = pytest.importorskip("numba")
    pointer = numba.types.CPointer(numba.types.int64)

    @numba.cfunc(numba.types.intc(pointer, pointer, numba.types.voidptr))
    def plus_one(src, out, user_data):
        out[0] = src[0] + 1
        return 0

    values = array("q", range(1000))
    assert libparmap.map_buffer(plus_one, values) == one_more(values)


# ---- addresses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "signature",
    ["double (double)", "double(double)", "  double  ( double )", "double (*)(double)", "double (const double value)"],
)
def test_an_address_comes_with_a_signature(kernels, signature):
    values, address = doubles(), address_of(kernels.double_plus_one)
    assert libparmap.map_buffer((address, signature), values) == one_more(values)
    assert libparmap.map_buffer(address, values, signature=signature) == one_more(values)


@pytest.mark.parametrize(
    "signature",
    ["int64_t (int64_t)", "long (long)", "long long (long long int)", "signed long (signed long)"],
)
def test_64_bit_integers_have_many_names(kernels, signature):
    values = array("q", range(1000))
    assert libparmap.map_buffer((address_of(kernels.int64_plus_one), signature), values) == one_more(values)


@pytest.mark.parametrize(
    "signature",
    [
        "int (const void *, void *, void *)",
        "int32_t (void*, void*, void*)",
        "int (const struct order *in, struct price *out, void *restrict ctx)",
        "int(*)(double *, double *, void *)",
    ],
)
def test_item_functions_may_name_what_they_point_at(kernels, signature):
    values = array("q", range(1000))
    assert libparmap.map_buffer((address_of(kernels.item_plus_one), signature), values) == one_more(values)


@pytest.mark.parametrize(
    "signature", ["", "double", "double (", "double (double", "(double)", "double [double]", "double (double,)", "double (double), int", "ü"]
)
def test_what_is_no_signature_is_said_so(kernels, signature):
    with pytest.raises(ValueError, match="not the signature of a C function such as"):
        libparmap.map_buffer((address_of(kernels.double_plus_one), signature), doubles())


def test_an_address_without_a_signature_is_refused(kernels):
    with pytest.raises(TypeError, match="func is an address: pass signature="):
        libparmap.map_buffer(address_of(kernels.double_plus_one), doubles())


@pytest.mark.parametrize("address, sentence", [(0, "NULL function pointer"), (-1, "not an address"), (2**64, "not an")])
def test_an_address_that_cannot_be_one_is_refused(address, sentence):
    with pytest.raises(ValueError, match=sentence):
        libparmap.map_buffer((address, "double (double)"), doubles())


def test_two_signatures_that_disagree_are_refused(kernels):
    with pytest.raises(ValueError, match=r"func is double \(double\) but signature is 'float \(float\)'"):
        libparmap.map_buffer(kernels.double_plus_one, doubles(), signature="float (float)")


def test_a_signature_that_says_the_same_in_other_words_is_fine(kernels):
    values = array("q", range(10))
    function = kernels.int64_plus_one
    assert libparmap.map_buffer(function, values, signature="long long (long long)") == one_more(values)


# ---- what is none ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("func", [None, True, "cos", 1.5, print, lambda x: x, (), (1,), (1, 2, 3), b"cos", object()])
def test_anything_else_is_refused_with_what_would_do(func):
    with pytest.raises(TypeError, match=r"func is .*(pass a ctypes or cffi function pointer|pass \(address, signature\))"):
        libparmap.map_buffer(func, doubles())


# ---- user_data -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "user_data",
    [
        ctypes.c_double(1),
        ctypes.pointer(ctypes.c_double(1)),
        (ctypes.c_double * 2)(1, 2),
        array("d", [1]),
    ],
    ids=["object", "pointer", "ctypes array", "array"],
)
def test_user_data_is_a_pointer_or_an_object_with_memory(kernels, user_data):
    values = doubles()
    assert libparmap.map_buffer(kernels.double_plus, values, user_data=user_data) == one_more(values)


def test_user_data_can_be_an_address_or_a_capsule(kernels):
    values, one = doubles(), ctypes.c_double(1)
    address = ctypes.addressof(one)
    for user_data in (address, ctypes.c_void_p(address), PyCapsule_New(address, b"one", None)):
        assert libparmap.map_buffer(kernels.double_plus, values, user_data=user_data) == one_more(values)


def test_without_user_data_the_function_gets_null(kernels):
    assert libparmap.map_buffer(kernels.is_null, array("q", [0])) == array("q", [1])
    assert libparmap.map_buffer(kernels.is_null, array("q", [0]), user_data=array("q", [0])) == array("q", [0])


def test_a_function_without_room_for_user_data_refuses_it(kernels):
    with pytest.raises(TypeError, match=r"func is double \(double\), which takes no user_data"):
        libparmap.map_buffer(kernels.double_plus_one, doubles(), user_data=ctypes.c_double(1))


@pytest.mark.parametrize("user_data", [True, "text", 1.5, [1]])
def test_user_data_of_another_kind_is_refused(kernels, user_data):
    with pytest.raises(TypeError, match="user_data is .*: pass a ctypes or cffi pointer"):
        libparmap.map_buffer(kernels.double_plus, doubles(), user_data=user_data)
