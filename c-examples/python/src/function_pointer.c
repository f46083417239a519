/* From the Python objects that carry a C function to its address and its form.
 *
 * ctypes and cffi pointers know their types; a PyCapsule names its pointer with the signature (the convention
 * of SciPy and Cython); Numba's @cfunc and scipy.LowLevelCallable wrap one of these. */
#include "core.h"

/* ---- the signature ----------------------------------------------------------------------------------------- */

static const struct function_form *form_of_string(PyObject *string, const char *whose)
{
    const char *text;

    if (!PyUnicode_Check(string)) {
        PyErr_Format(PyExc_TypeError, "%s is %R: pass a string such as \"double (double)\"", whose, string);
        return NULL;
    }
    text = PyUnicode_AsUTF8AndSize(string, NULL);
    return text == NULL ? NULL : form_of_text(text, whose);
}

/* signature= where the object does not say what it is; where both speak they must agree. */
static int settle_form(struct function_pointer *function, const struct function_form *own, PyObject *signature)
{
    const struct function_form *asked = own;

    if (signature != Py_None) {
        asked = form_of_string(signature, "map_buffer: signature");
        if (asked == NULL)
            return -1;
    }
    if (own != NULL && asked != own) {
        PyErr_Format(PyExc_ValueError, "map_buffer: func is %s but signature is %R: leave signature out", own->spelling,
                     signature);
        return -1;
    }
    function->form = asked;
    return 0;
}

static int has_no_signature(const char *what)
{
    PyErr_Format(PyExc_TypeError, "map_buffer: func is %s: pass signature=, such as \"double (double)\"", what);
    return -1;
}

/* ---- one opener for each kind of func ---------------------------------------------------------------------- */

static int set_address(struct function_pointer *function, uintptr_t address, PyObject *owner)
{
    if (address == 0) {
        PyErr_Format(PyExc_ValueError, "map_buffer: func is %R, a NULL function pointer: there is nothing to call",
                     owner);
        return -1;
    }
    function->address = (any_function)address;
    function->owner = Py_NewRef(owner);
    return 0;
}

/* Functions of ctypes.PyDLL expect the GIL, which is released while the map runs. */
static int needs_the_gil(PyObject *func)
{
    enum { FUNCFLAG_PYTHONAPI = 4 }; /* as in _ctypes */
    PyObject *flags = PyObject_GetAttrString(func, "_flags_");
    const long bits = flags == NULL ? -1 : PyLong_AsLong(flags);

    Py_XDECREF(flags);
    if (PyErr_Occurred())
        return -1;
    if (bits & FUNCFLAG_PYTHONAPI)
        PyErr_Format(PyExc_TypeError,
                     "map_buffer: func is %R of ctypes.PyDLL or PYFUNCTYPE, which needs the GIL: load the library "
                     "with ctypes.CDLL, or make the callback with CFUNCTYPE",
                     func);
    return bits & FUNCFLAG_PYTHONAPI ? -1 : 0;
}

static int open_ctypes(struct function_pointer *function, PyObject *func, PyObject *signature)
{
    PyObject *argtypes = PyObject_GetAttrString(func, "argtypes");
    const struct function_form *own = NULL;
    uintptr_t address;
    int untyped;

    if (argtypes == NULL)
        return -1;
    untyped = argtypes == Py_None;
    Py_DECREF(argtypes);
    if (needs_the_gil(func) < 0)
        return -1;
    if (!untyped || signature == Py_None) {
        own = form_of_ctypes(func);
        if (own == NULL)
            return -1;
    }
    if (settle_form(function, own, signature) < 0 || address_of_ctypes(func, &address) < 0)
        return -1;
    return set_address(function, address, func);
}

static int open_cffi(struct function_pointer *function, PyObject *func, PyObject *signature)
{
    const struct function_form *own;
    PyObject *name = cffi_type_name(func);
    uintptr_t address;

    if (name == NULL)
        return -1;
    own = form_of_string(name, "map_buffer: func");
    Py_DECREF(name);
    if (own == NULL || settle_form(function, own, signature) < 0 || address_of_cffi(func, "func", &address) < 0)
        return -1;
    return set_address(function, address, func);
}

static int open_capsule(struct function_pointer *function, PyObject *func, PyObject *signature)
{
    const char *name = PyCapsule_GetName(func);
    const struct function_form *own = NULL;
    void *pointer;

    if (PyErr_Occurred())
        return -1;
    if (name == NULL && signature == Py_None)
        return has_no_signature("a PyCapsule without a name");
    if (name != NULL) {
        own = form_of_text(name, "map_buffer: the name of the PyCapsule");
        if (own == NULL)
            return -1;
    }
    pointer = PyCapsule_GetPointer(func, name);
    if (pointer == NULL || settle_form(function, own, signature) < 0)
        return -1;
    function->user_data = PyCapsule_GetContext(func);
    if (PyErr_Occurred())
        return -1;
    return set_address(function, (uintptr_t)pointer, func);
}

static int open_address(struct function_pointer *function, PyObject *func, PyObject *signature)
{
    uintptr_t address;

    if (signature == Py_None)
        return has_no_signature("an address");
    if (address_of_integer(func, "func", &address) < 0 || settle_form(function, NULL, signature) < 0)
        return -1;
    return set_address(function, address, func);
}

/* A tuple is scipy.LowLevelCallable, whose first entry is a capsule, or our own (address, signature). */
static int open_tuple(struct function_pointer *function, PyObject *func, PyObject *signature)
{
    PyObject *first = PyTuple_Size(func) > 0 ? PyTuple_GetItem(func, 0) : NULL; /* borrowed */

    if (first != NULL && PyCapsule_CheckExact(first))
        return open_capsule(function, first, signature);
    if (PyTuple_Size(func) != 2 || !PyLong_CheckExact(first)) {
        PyErr_Clear();
        PyErr_Format(PyExc_TypeError, "map_buffer: func is the tuple %R: pass (address, signature)", func);
        return -1;
    }
    if (signature != Py_None) {
        PyErr_SetString(PyExc_TypeError, "map_buffer: func is (address, signature): leave signature= out");
        return -1;
    }
    return open_address(function, first, PyTuple_GetItem(func, 1));
}

/* Numba's @cfunc shows itself as a ctypes function of the right types, which does not own the code. */
static int open_numba(struct function_pointer *function, PyObject *func, PyObject *pointer, PyObject *signature)
{
    if (open_ctypes(function, pointer, signature) < 0)
        return -1;
    Py_DECREF(function->owner);
    function->owner = Py_NewRef(func);
    return 0;
}

static int refuse(PyObject *func)
{
    PyErr_Format(PyExc_TypeError,
                 "map_buffer: func is %R, not a C function: pass a ctypes or cffi function pointer, a PyCapsule, a "
                 "scipy.LowLevelCallable, a Numba @cfunc, (address, signature), or a Python function wrapped in "
                 "libparmap.callback",
                 func);
    return -1;
}

/* Whatever else carries a ctypes function in its attribute `ctypes`. */
static int open_wrapped(struct function_pointer *function, PyObject *func, PyObject *signature)
{
    PyObject *pointer = PyObject_GetAttrString(func, "ctypes");
    int opened = -1;

    if (pointer == NULL) {
        PyErr_Clear();
        return refuse(func);
    }
    switch (is_ctypes_function(pointer)) {
    case 1:
        opened = open_numba(function, func, pointer, signature);
        break;
    case 0:
        opened = refuse(func);
        break;
    }
    Py_DECREF(pointer);
    return opened;
}

static int open_function(struct function_pointer *function, PyObject *func, PyObject *signature)
{
    const int is_ctypes = is_ctypes_function(func);
    const int is_cffi = is_ctypes == 0 ? is_cffi_object(func) : 0;

    if (is_ctypes < 0 || is_cffi < 0)
        return -1;
    if (is_ctypes)
        return open_ctypes(function, func, signature);
    if (is_cffi)
        return open_cffi(function, func, signature);
    if (PyCapsule_CheckExact(func))
        return open_capsule(function, func, signature);
    if (PyLong_CheckExact(func))
        return open_address(function, func, signature);
    if (PyTuple_Check(func))
        return open_tuple(function, func, signature);
    return open_wrapped(function, func, signature);
}

/* ---- user_data --------------------------------------------------------------------------------------------- */

/* A pointer, an address, or any object with memory, whose address the function then gets. */
static int open_user_data(struct function_pointer *function, PyObject *user_data)
{
    const int is_pointer = is_ctypes_pointer(user_data);
    const int is_cffi = is_pointer == 0 ? is_cffi_object(user_data) : 0;
    uintptr_t address;

    if (is_pointer < 0 || is_cffi < 0)
        return -1;
    if (is_pointer) {
        if (address_of_ctypes(user_data, &address) < 0)
            return -1;
    } else if (is_cffi) {
        if (address_of_cffi(user_data, "user_data", &address) < 0)
            return -1;
    } else if (PyLong_CheckExact(user_data)) {
        if (address_of_integer(user_data, "user_data", &address) < 0)
            return -1;
    } else if (PyCapsule_CheckExact(user_data)) {
        address = (uintptr_t)PyCapsule_GetPointer(user_data, PyCapsule_GetName(user_data));
        if (PyErr_Occurred())
            return -1;
    } else if (PyObject_CheckBuffer(user_data)) {
        if (PyObject_GetBuffer(user_data, &function->user_buffer, PyBUF_SIMPLE) < 0)
            return -1;
        address = (uintptr_t)function->user_buffer.buf;
    } else {
        PyErr_Format(PyExc_TypeError,
                     "map_buffer: user_data is %R: pass a ctypes or cffi pointer, an address, a PyCapsule, or an "
                     "object that gives access to its memory",
                     user_data);
        return -1;
    }
    function->user_data = (void *)address;
    return 0;
}

int function_pointer_open(struct function_pointer *function, PyObject *func, PyObject *signature, PyObject *user_data)
{
    if (open_function(function, func, signature) < 0)
        return -1;
    if (user_data == Py_None)
        return 0;
    if (!function->form->takes_user_data) {
        PyErr_Format(PyExc_TypeError, "map_buffer: func is %s, which takes no user_data", function->form->spelling);
        return -1;
    }
    return open_user_data(function, user_data);
}

void function_pointer_close(struct function_pointer *function)
{
    PyBuffer_Release(&function->user_buffer);
    Py_CLEAR(function->owner);
}
