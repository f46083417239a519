/* The loops over element functions: double (double), and so on.
 *
 * par_for hands each of these a range, so the library's own cost is paid once a range; per element there is
 * one call through the function pointer, as in a loop written by hand. No Python object is touched here. */
#include "core.h"

#define ELEMENT_LOOPS(name, type)                                                                                 \
    int map_##name(size_t begin, size_t end, void *map_call)                                                      \
    {                                                                                                             \
        struct map_call *call = map_call;                                                                         \
        type (*const function)(type) = (type(*)(type))call->function;                                             \
        const type *in = call->in;                                                                                \
        type *out = call->out;                                                                                    \
                                                                                                                  \
        if (watch_look_up(&call->watch))                                                                          \
            return STOPPED;                                                                                       \
        for (size_t i = begin; i < end; i++)                                                                      \
            out[i] = function(in[i]);                                                                             \
        return 0;                                                                                                 \
    }                                                                                                             \
                                                                                                                  \
    int map_##name##_with_data(size_t begin, size_t end, void *map_call)                                          \
    {                                                                                                             \
        struct map_call *call = map_call;                                                                         \
        type (*const function)(type, void *) = (type(*)(type, void *))call->function;                             \
        void *const user_data = call->user_data;                                                                  \
        const type *in = call->in;                                                                                \
        type *out = call->out;                                                                                    \
                                                                                                                  \
        if (watch_look_up(&call->watch))                                                                          \
            return STOPPED;                                                                                       \
        for (size_t i = begin; i < end; i++)                                                                      \
            out[i] = function(in[i], user_data);                                                                  \
        return 0;                                                                                                 \
    }                                                                                                             \
                                                                                                                  \
    int map_##name##_one(const void *in, void *out, void *map_call)                                               \
    {                                                                                                             \
        const struct map_call *call = map_call;                                                                   \
                                                                                                                  \
        *(type *)out = ((type(*)(type))call->function)(*(const type *)in);                                        \
        return 0;                                                                                                 \
    }                                                                                                             \
                                                                                                                  \
    int map_##name##_with_data_one(const void *in, void *out, void *map_call)                                     \
    {                                                                                                             \
        const struct map_call *call = map_call;                                                                   \
                                                                                                                  \
        *(type *)out = ((type(*)(type, void *))call->function)(*(const type *)in, call->user_data);               \
        return 0;                                                                                                 \
    }

ELEMENT_LOOPS(doubles, double)
ELEMENT_LOOPS(floats, float)
ELEMENT_LOOPS(int64s, int64_t)
ELEMENT_LOOPS(int32s, int32_t)

int map_watched_item(const void *in, void *out, void *map_call)
{
    struct map_call *call = map_call;

    if (watch_look_up(&call->watch))
        return STOPPED;
    return ((par_map_fn)call->function)(in, out, call->user_data);
}
