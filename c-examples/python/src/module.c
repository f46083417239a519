/* The module libparmap._core: its state, its slots, its functions.
 *
 * Multi-phase init and a state per interpreter make it safe to import in any number of sub-interpreters. One
 * binary serves every CPython from 3.11 on (the limited API), so which slots there are is asked at run time. */
#include "core.h"

/* Slots newer than the API of 3.11 that this file is compiled against; numbers and values never change. */
#ifndef Py_mod_multiple_interpreters
#define Py_mod_multiple_interpreters 3
#define Py_MOD_PER_INTERPRETER_GIL_SUPPORTED ((void *)2)
#endif
#ifndef Py_mod_gil
#define Py_mod_gil 4
#define Py_MOD_GIL_NOT_USED ((void *)1)
#endif

static PyObject *cpu_count(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(nothing))
{
    return PyLong_FromSize_t(par_cpu_count());
}

/* The spelling that map_buffer's form of a signature has, for libparmap.callback. */
static PyObject *normal_signature(PyObject *Py_UNUSED(module), PyObject *signature)
{
    const char *text = PyUnicode_AsUTF8AndSize(signature, NULL);
    const struct function_form *form = text == NULL ? NULL : form_of_text(text, "callback: signature");

    return form == NULL ? NULL : PyUnicode_FromString(form->spelling);
}

static PyMethodDef core_methods[] = {
    { "map_buffer", (PyCFunction)(void (*)(void))map_buffer, METH_FASTCALL, NULL },
    { "normal_signature", normal_signature, METH_O, NULL },
    { "cpu_count", cpu_count, METH_NOARGS,
      "cpu_count()\n--\n\nThe CPUs this process may use: its affinity mask and its container's quota, rounded up." },
    { NULL, NULL, 0, NULL },
};

static int add_version(PyObject *module)
{
    const uint32_t version = par_version();
    PyObject *text = PyUnicode_FromFormat("%u.%u.%u", version >> 16, version >> 8 & 0xff, version & 0xff);
    int added = text == NULL ? -1 : PyModule_AddObjectRef(module, "__version__", text);

    Py_XDECREF(text);
    return added;
}

static int core_exec(PyObject *module)
{
    core_state *state = PyModule_GetState(module);

    state->item_error = PyErr_NewExceptionWithDoc(
        "libparmap.ItemError",
        "The C function failed for an item.\n\n"
        "index: which item, counted along the first axis; code: what the function returned for it.",
        PyExc_RuntimeError, NULL);
    if (state->item_error == NULL || PyModule_AddObjectRef(module, "ItemError", state->item_error) < 0)
        return -1;
    if (PyModule_AddIntConstant(module, "THREADS", PAR_THREADS) < 0
        || PyModule_AddIntConstant(module, "PROCESSES", PAR_PROCESSES) < 0
        || PyModule_AddIntConstant(module, "MPI", PAR_MPI) < 0)
        return -1;
    return add_version(module);
}

static int core_traverse(PyObject *module, visitproc visit, void *arg)
{
    core_state *state = PyModule_GetState(module);

    Py_VISIT(state->item_error);
    return 0;
}

static int core_clear(PyObject *module)
{
    core_state *state = PyModule_GetState(module);

    Py_CLEAR(state->item_error);
    return 0;
}

static void core_free(void *module)
{
    core_clear(module);
}

#define EXEC_SLOT { Py_mod_exec, (void *)(uintptr_t)core_exec }

static PyModuleDef_Slot slots_of_3_11[] = {
    EXEC_SLOT,
    { 0, NULL },
};

static PyModuleDef_Slot slots_of_3_12[] = {
    EXEC_SLOT,
    { Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED },
    { 0, NULL },
};

static PyModuleDef_Slot slots_of_3_13[] = {
    EXEC_SLOT,
    { Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED },
    { Py_mod_gil, Py_MOD_GIL_NOT_USED },
    { 0, NULL },
};

static struct PyModuleDef core_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "libparmap._core",
    .m_size = sizeof(core_state),
    .m_methods = core_methods,
    .m_traverse = core_traverse,
    .m_clear = core_clear,
    .m_free = core_free,
};

PyMODINIT_FUNC PyInit__core(void)
{
    if (Py_Version >= 0x030d0000)
        core_module.m_slots = slots_of_3_13;
    else if (Py_Version >= 0x030c0000)
        core_module.m_slots = slots_of_3_12;
    else
        core_module.m_slots = slots_of_3_11;
    return PyModuleDef_Init(&core_module);
}
