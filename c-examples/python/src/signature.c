/* Which of our forms a C signature is: spelled in C, or built of ctypes types. */
#include "core.h"

#include <ctype.h>
#include <string.h>

#define ITEM_FORM "int (const void *, void *, void *)"
#define ACCEPTED_FORMS                                                                                            \
    ITEM_FORM ", or double (double), float (float), int64_t (int64_t), int32_t (int32_t), "                        \
              "each of these four also with a void * after its argument"

#define ELEMENT_FORM(type, spelling, loop)                                                                        \
    { { type, { type }, 1 }, spelling " (" spelling ")", type, loop, loop##_one, 0 },                             \
    { { type, { type, C_POINTER }, 2 }, spelling " (" spelling ", void *)", type, loop##_with_data,               \
      loop##_with_data_one, 1 }

static const struct function_form forms[] = {
    { { C_INT32, { C_POINTER, C_POINTER, C_POINTER }, 3 }, ITEM_FORM, C_POINTER, NULL, NULL, 1 },
    ELEMENT_FORM(C_DOUBLE, "double", map_doubles),
    ELEMENT_FORM(C_FLOAT, "float", map_floats),
    ELEMENT_FORM(C_INT64, "int64_t", map_int64s),
    ELEMENT_FORM(C_INT32, "int32_t", map_int32s),
};

static const struct function_form *form_of(const struct signature *signature)
{
    for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++) {
        const struct signature *known = &forms[f].signature;

        if (known->result == signature->result && known->n_arguments == signature->n_arguments
            && memcmp(known->arguments, signature->arguments,
                      (size_t)known->n_arguments * sizeof known->arguments[0]) == 0)
            return &forms[f];
    }
    return NULL;
}

static enum c_type integer_of_size(size_t size)
{
    return size == 8 ? C_INT64 : size == 4 ? C_INT32 : C_OTHER;
}

/* ---- signatures spelled in C ------------------------------------------------------------------------------- */

/* The words of one type, as they are read: those before a name, its stars, and how often it says long. */
struct type_words {
    int words, stars, longs, others;
    enum c_type base; /* C_OTHER until a word has settled it */
};

static int word_is(const char *word, size_t length, const char *one_of)
{
    for (const char *known = one_of; *known != '\0'; known += strlen(known) + 1)
        if (strlen(known) == length && memcmp(known, word, length) == 0)
            return 1;
    return 0;
}

/* Words that say nothing about the size or the kind of a type. */
#define QUALIFIERS "const\0volatile\0restrict\0__restrict\0struct\0"
#define INTEGERS_OF_32_BITS "int\0int32_t\0signed\0"
#define INTEGERS_OF_64_BITS "int64_t\0ssize_t\0ptrdiff_t\0intptr_t\0"

static void read_word(struct type_words *type, const char *word, size_t length)
{
    if (word_is(word, length, QUALIFIERS))
        return;
    type->words++;
    if (word_is(word, length, "long\0"))
        type->longs++;
    else if (word_is(word, length, "double\0"))
        type->base = C_DOUBLE;
    else if (word_is(word, length, "float\0"))
        type->base = C_FLOAT;
    else if (word_is(word, length, "void\0"))
        type->base = C_VOID;
    else if (word_is(word, length, INTEGERS_OF_32_BITS))
        type->base = C_INT32;
    else if (word_is(word, length, INTEGERS_OF_64_BITS))
        type->base = C_INT64;
    else if (type->words == 1)
        type->others++;
    /* Any later word is the name of the argument. */
}

static enum c_type finish_type(const struct type_words *type)
{
    if (type->stars > 0)
        return C_POINTER;
    if (type->others > 0)
        return C_OTHER;
    if (type->longs == 0)
        return type->base;
    if (type->base == C_OTHER || type->base == C_INT32)
        return integer_of_size(type->longs > 1 ? sizeof(long long) : sizeof(long));
    return C_OTHER; /* long double */
}

/* Reads one type up to one of ( ) , and returns where it ended; NULL at anything else. */
static const char *read_type(const char *text, enum c_type *type)
{
    struct type_words words = { 0, 0, 0, 0, C_OTHER };

    for (;;) {
        const char *word = text;

        while (isalnum((unsigned char)*text) || *text == '_')
            text++;
        if (text > word)
            read_word(&words, word, (size_t)(text - word));
        else if (*text == '*')
            words.stars++, text++;
        else if (*text == ' ')
            text++;
        else
            break;
    }
    if (words.words == 0 || *text == '\0' || strchr("(),", *text) == NULL)
        return NULL;
    *type = finish_type(&words);
    return text;
}

/* 1 when the text is a whole signature: a type, then perhaps (*), then types between parentheses. */
static int read_signature(const char *text, struct signature *signature)
{
    signature->n_arguments = 0;
    text = read_type(text, &signature->result);
    if (text == NULL || *text != '(')
        return 0;
    if (strncmp(text, "(*)", 3) == 0)
        text += 3;
    while (*text == ' ')
        text++;
    if (*text != '(')
        return 0;
    do {
        if (signature->n_arguments == MOST_ARGUMENTS)
            return 1; /* too long for any form already */
        text = read_type(text + 1, &signature->arguments[signature->n_arguments]);
        if (text == NULL)
            return 0;
        signature->n_arguments++;
    } while (*text == ',');
    if (*text != ')')
        return 0;
    /* Words behind it, such as Cython's noexcept, do not change how the function is called. */
    do
        text++;
    while (isalnum((unsigned char)*text) || *text == '_' || *text == ' ');
    return *text == '\0';
}

const struct function_form *form_of_text(const char *text, const char *whose)
{
    struct signature signature;
    const struct function_form *form;

    if (!read_signature(text, &signature)) {
        PyErr_Format(PyExc_ValueError,
                     "%s is \"%s\", which is not the signature of a C function such as "
                     "\"double (double)\"",
                     whose, text);
        return NULL;
    }
    form = form_of(&signature);
    if (form == NULL)
        PyErr_Format(PyExc_TypeError, "%s is \"%s\"; functions that can be mapped are " ACCEPTED_FORMS,
                     whose, text);
    return form;
}

/* ---- signatures built of ctypes types ---------------------------------------------------------------------- */

/* ctypes gives every simple type a letter, c_double 'd'; a pointer type's _type_ is the type it points to. */
static enum c_type type_of_letter(const char *letter)
{
    switch (letter[0]) {
    case 'd':
        return C_DOUBLE;
    case 'f':
        return C_FLOAT;
    case 'i':
        return integer_of_size(sizeof(int));
    case 'l':
        return integer_of_size(sizeof(long));
    case 'q':
        return C_INT64;
    case 'P':
    case 'z':
    case 'Z':
        return C_POINTER;
    default:
        return C_OTHER;
    }
}

/* 0, or -1 with an exception set. */
static int type_of_ctypes(PyObject *ctypes_type, enum c_type *type)
{
    PyObject *letter;

    if (ctypes_type == Py_None) {
        *type = C_VOID;
        return 0;
    }
    letter = PyObject_GetAttrString(ctypes_type, "_type_");
    if (letter == NULL) {
        PyErr_Clear();
        *type = C_OTHER;
        return 0;
    }
    if (PyUnicode_Check(letter)) {
        const char *text = PyUnicode_AsUTF8AndSize(letter, NULL);

        *type = text == NULL ? C_OTHER : type_of_letter(text);
    } else {
        *type = C_POINTER;
    }
    Py_DECREF(letter);
    return PyErr_Occurred() ? -1 : 0;
}

static const struct function_form *form_of_argtypes(PyObject *argtypes, PyObject *restype)
{
    struct signature signature = { C_OTHER, { C_OTHER }, 0 };
    const Py_ssize_t n = PySequence_Size(argtypes);
    const struct function_form *form;

    if (n < 0 || type_of_ctypes(restype, &signature.result) < 0)
        return NULL;
    for (Py_ssize_t a = 0; a < n && a < MOST_ARGUMENTS; a++) {
        PyObject *argument = PySequence_GetItem(argtypes, a);
        const int read = argument == NULL ? -1 : type_of_ctypes(argument, &signature.arguments[a]);

        Py_XDECREF(argument);
        if (read < 0)
            return NULL;
    }
    signature.n_arguments = (int)(n < MOST_ARGUMENTS ? n : MOST_ARGUMENTS);
    form = form_of(&signature);
    if (form == NULL)
        PyErr_Format(PyExc_TypeError,
                     "map_buffer: func has argtypes %R and restype %R; functions that can be mapped are "
                     ACCEPTED_FORMS,
                     argtypes, restype);
    return form;
}

const struct function_form *form_of_ctypes(PyObject *function)
{
    PyObject *argtypes = PyObject_GetAttrString(function, "argtypes");
    PyObject *restype = argtypes == NULL ? NULL : PyObject_GetAttrString(function, "restype");
    const struct function_form *form = NULL;

    if (argtypes == Py_None)
        PyErr_SetString(PyExc_TypeError, "map_buffer: func is a ctypes function without argtypes: set its argtypes "
                                         "and restype, or pass signature=");
    else if (restype != NULL)
        form = form_of_argtypes(argtypes, restype);
    Py_XDECREF(restype);
    Py_XDECREF(argtypes);
    return form;
}
