/* Memory that is fit for the call: contiguous, writable where results go, of the right type and length. */
#include "core.h"

#include <string.h>

/* Python objects inside the memory would be copied without counting references. A format such as
 * "T{l:a:O:Order:}" names its fields between colons. */
static int holds_python_objects(const char *format)
{
    int in_name = 0;

    for (; *format != '\0'; format++) {
        if (*format == ':')
            in_name = !in_name;
        else if (*format == 'O' && !in_name)
            return 1;
    }
    return 0;
}

static const char *format_of(const struct array *array)
{
    return array->view.format == NULL ? "B" : array->view.format;
}

static int array_is_usable(struct array *array, int writable)
{
    const Py_buffer *view = &array->view;

    if (writable && view->readonly) {
        PyErr_Format(PyExc_BufferError, "map_buffer: %s is read-only: pass an array that can be written to",
                     array->name);
        return -1;
    }
    if (!PyBuffer_IsContiguous(view, 'C')) {
        PyErr_Format(PyExc_BufferError,
                     "map_buffer: %s is not contiguous: pass a copy, such as numpy.ascontiguousarray makes",
                     array->name);
        return -1;
    }
    if (view->ndim == 0) {
        PyErr_Format(PyExc_ValueError,
                     "map_buffer: %s has no axis to map over: pass an array of at least one dimension", array->name);
        return -1;
    }
    if (holds_python_objects(format_of(array))) {
        PyErr_Format(PyExc_TypeError,
                     "map_buffer: %s holds Python objects (format \"%s\"), which a C function cannot compute with",
                     array->name, format_of(array));
        return -1;
    }
    return 0;
}

int array_open(struct array *array, PyObject *object, const char *name, int writable)
{
    const Py_buffer *view = &array->view;

    array->name = name;
    if (!PyObject_CheckBuffer(object)) {
        PyErr_Format(PyExc_TypeError,
                     "map_buffer: %s is %R: pass an object that gives access to its memory, such as a NumPy array, "
                     "array.array, bytearray or memoryview",
                     name, object);
        return -1;
    }
    /* Ask for whatever there is, so that what is missing is said in our own sentence. */
    if (PyObject_GetBuffer(object, &array->view, PyBUF_FULL_RO) < 0)
        return -1;
    if (array_is_usable(array, writable) < 0)
        return -1;
    array->n_items = (size_t)view->shape[0];
    array->item_size = (size_t)view->itemsize;
    for (int axis = 1; axis < view->ndim; axis++)
        array->item_size *= (size_t)view->shape[axis];
    return 0;
}

void array_close(struct array *array)
{
    PyBuffer_Release(&array->view);
}

/* ---- the two arrays and the function ----------------------------------------------------------------------- */

static enum c_type element_type(const struct array *array)
{
    const char *format = format_of(array);
    const char *native_order = PY_LITTLE_ENDIAN ? "@=<" : "@=>";

    if (*format != '\0' && strchr(native_order, *format) != NULL)
        format++;
    if (strlen(format) != 1)
        return C_OTHER;
    if (*format == 'd')
        return C_DOUBLE;
    if (*format == 'f')
        return C_FLOAT;
    if (strchr("bhilqn", *format) != NULL)
        return array->view.itemsize == 8 ? C_INT64 : array->view.itemsize == 4 ? C_INT32 : C_OTHER;
    return C_OTHER;
}

static int elements_fit(const struct array *array, const struct function_form *form)
{
    if (element_type(array) != form->element) {
        PyErr_Format(PyExc_TypeError,
                     "map_buffer: %s holds elements of format \"%s\" (%zd bytes each), but func is %s: convert the "
                     "array, or pass a function for its type",
                     array->name, format_of(array), array->view.itemsize, form->spelling);
        return -1;
    }
    if (array->view.len > 0 && (uintptr_t)array->view.buf % (uintptr_t)array->view.itemsize != 0) {
        PyErr_Format(PyExc_BufferError,
                     "map_buffer: the memory of %s is not aligned for elements of %zd bytes: pass a copy", array->name,
                     array->view.itemsize);
        return -1;
    }
    return 0;
}

static PyObject *shape_of(const struct array *array)
{
    PyObject *shape = PyTuple_New(array->view.ndim);

    for (int axis = 0; shape != NULL && axis < array->view.ndim; axis++) {
        PyObject *length = PyLong_FromSsize_t(array->view.shape[axis]);

        if (length == NULL || PyTuple_SetItem(shape, axis, length) < 0)
            Py_CLEAR(shape);
    }
    return shape;
}

static int shapes_fit(const struct array *src, const struct array *out, const struct function_form *form)
{
    const int every_axis = form->element != C_POINTER;
    PyObject *src_shape, *out_shape;

    if (every_axis ? src->view.ndim == out->view.ndim
                         && memcmp(src->view.shape, out->view.shape,
                                   (size_t)src->view.ndim * sizeof src->view.shape[0])
                                == 0
                   : src->n_items == out->n_items)
        return 0;
    src_shape = shape_of(src);
    out_shape = shape_of(out);
    if (src_shape != NULL && out_shape != NULL)
        PyErr_Format(PyExc_ValueError, "map_buffer: src has shape %R but out has shape %R: %s must be the same",
                     src_shape, out_shape, every_axis ? "the shapes" : "the lengths of the first axis");
    Py_XDECREF(out_shape);
    Py_XDECREF(src_shape);
    return -1;
}

/* Results may go to where the items lie, each over its own item; in any other overlap one item's result would
 * destroy another item. */
static int overlap_fits(const struct array *src, const struct array *out)
{
    const uintptr_t in = (uintptr_t)src->view.buf, results = (uintptr_t)out->view.buf;

    if (in == results && src->item_size == out->item_size)
        return 0;
    if (in >= results + (uintptr_t)out->view.len || results >= in + (uintptr_t)src->view.len)
        return 0;
    PyErr_SetString(PyExc_ValueError,
                    "map_buffer: src and out overlap: pass the same array twice to map in place, or separate arrays");
    return -1;
}

int arrays_fit(const struct array *src, const struct array *out, const struct function_form *form)
{
    if (form->element != C_POINTER && (elements_fit(src, form) < 0 || elements_fit(out, form) < 0))
        return -1;
    if (shapes_fit(src, out, form) < 0)
        return -1;
    return overlap_fits(src, out);
}
