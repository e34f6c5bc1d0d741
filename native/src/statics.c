// Thread-static references of managed code, on threads that are not the caller: the runtime gives each thread an array of arrays, and a field has the same
// place in it on every thread (ThreadLocalData in the runtime's description of itself). Called in cooperative mode ([SuppressGCTransition]): no
// collection moves anything meanwhile.
#include "engine.h"

enum { METHOD_TABLE = 0, COMPONENTS = 8, ELEMENTS = 16 };   // of an array of references; the description has the last two as Array's

static int place_outer = -1, place_inner = -1;

// A thread may end meanwhile, and its memory with it.
static char *array_of(const char *thread)
{
    char *data, *array;
    return sm__engine.thread_statics >= 0 && sm__peek(thread + sm__engine.thread_statics, &data, sizeof data) && data
        && sm__peek(data + sm__engine.static_arrays, &array, sizeof array) ? array : NULL;
}

static uint32_t length_of(const char *array)
{
    return *(const uint32_t *)(array + COMPONENTS);
}

static char **element(char *array, uint32_t index)
{
    return (char **)(array + ELEMENTS) + index;
}

static int is_alike(const char *array, const char *inner)
{
    return inner && *(void *const *)(inner + METHOD_TABLE) == *(void *const *)(array + METHOD_TABLE);
}

SM_UNSANITIZED int32_t sm_fork_learn_thread_static(void *const *reference)
{
    const char *thread = sm__managed_thread_of((int)syscall(SYS_gettid));
    char *array = thread ? array_of(thread) : NULL;
    int found = 0;
    for (uint32_t i = 0; array && i < length_of(array); i++) {
        char *inner = *element(array, i);
        for (uint32_t k = 0; is_alike(array, inner) && k < length_of(inner); k++)
            if (*element(inner, k) == *reference) {
                place_outer = (int)i;
                place_inner = (int)k;
                found++;
            }
    }
    if (found != 1)
        place_outer = -1;
    return found == 1 ? 0 : -ENOTSUP;
}

SM_UNSANITIZED int32_t sm_fork_clear_thread_static(void)
{
    int cleared = 0;
    for (int i = 0; place_outer >= 0 && i < sm__slot_count; i++) {
        const sm_slot *slot = &sm__slots[i];
        char *array = slot->managed && slot->new_tid ? array_of(slot->managed) : NULL;
        char *inner = array && length_of(array) > (uint32_t)place_outer ? *element(array, (uint32_t)place_outer) : NULL;
        if (inner && is_alike(array, inner) && length_of(inner) > (uint32_t)place_inner && *element(inner, (uint32_t)place_inner)) {
            *element(inner, (uint32_t)place_inner) = NULL;
            cleared++;
        }
    }
    return cleared;
}
