/* Pointers as the objects of ctypes and cffi hold them, neither of which need be loaded.
 *
 * ctypes keeps a pointer in memory of its own, which its objects show as a buffer; cffi casts to an integer. */
#include "core.h"

#include <string.h>

/* 1 when the object is an instance of that class of a module that is loaded; 0, or -1 with an exception set. */
static int is_instance_of(PyObject *object, const char *module_name, const char *class_name)
{
    PyObject *modules = PyImport_GetModuleDict(); /* borrowed */
    PyObject *module = PyMapping_GetItemString(modules, module_name);
    PyObject *class;
    int answer;

    if (module == NULL) {
        PyErr_Clear(); /* not loaded: nobody can have made such an object */
        return 0;
    }
    class = PyObject_GetAttrString(module, class_name);
    answer = class == NULL ? -1 : PyObject_IsInstance(object, class);
    Py_XDECREF(class);
    Py_DECREF(module);
    return answer;
}

int is_ctypes_function(PyObject *object)
{
    return is_instance_of(object, "_ctypes", "CFuncPtr");
}

int is_ctypes_pointer(PyObject *object)
{
    const int is_typed = is_instance_of(object, "_ctypes", "_Pointer");

    return is_typed != 0 ? is_typed : is_instance_of(object, "ctypes", "c_void_p");
}

int is_cffi_object(PyObject *object)
{
    return is_instance_of(object, "_cffi_backend", "_CDataBase");
}

int address_of_ctypes(PyObject *pointer, uintptr_t *address)
{
    Py_buffer memory;

    if (PyObject_GetBuffer(pointer, &memory, PyBUF_SIMPLE) < 0)
        return -1;
    memcpy(address, memory.buf, sizeof *address);
    PyBuffer_Release(&memory);
    return 0;
}

int address_of_integer(PyObject *integer, const char *name, uintptr_t *address)
{
    *address = (uintptr_t)PyLong_AsSize_t(integer);
    if (!PyErr_Occurred())
        return 0;
    PyErr_Format(PyExc_ValueError, "map_buffer: %s is %R, which is not an address", name, integer);
    return -1;
}

/* By the cast that users of cffi write: int(ffi.cast("uintptr_t", pointer)). */
int address_of_cffi(PyObject *pointer, const char *name, uintptr_t *address)
{
    PyObject *backend = PyImport_ImportModule("_cffi_backend");
    PyObject *type = NULL, *number = NULL, *integer = NULL;
    int found = -1;

    if (backend != NULL)
        type = PyObject_CallMethod(backend, "new_primitive_type", "s", "uintptr_t");
    if (type != NULL)
        number = PyObject_CallMethod(backend, "cast", "OO", type, pointer);
    if (number != NULL)
        integer = PyNumber_Long(number);
    if (integer != NULL)
        found = address_of_integer(integer, name, address);
    Py_XDECREF(integer);
    Py_XDECREF(number);
    Py_XDECREF(type);
    Py_XDECREF(backend);
    return found;
}

PyObject *cffi_type_name(PyObject *object)
{
    PyObject *backend = PyImport_ImportModule("_cffi_backend");
    PyObject *type = backend == NULL ? NULL : PyObject_CallMethod(backend, "typeof", "O", object);
    PyObject *name = type == NULL ? NULL : PyObject_GetAttrString(type, "cname");

    Py_XDECREF(type);
    Py_XDECREF(backend);
    return name;
}
