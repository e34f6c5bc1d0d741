// The search for what the runtime keeps, in memory that is made to mislead it.
#include "test.h"

#include "../src/text.c"
#include "../src/locate.c"

static char thread_of_this[64] __attribute__((aligned(16))), thread_of_other[64] __attribute__((aligned(16)));

char *sm__managed_thread_of(int tid)
{
    return tid == (int)syscall(SYS_gettid) ? thread_of_this : NULL;
}

// As glibc lays out two blocks one behind the other: each is preceded by its size and whether the one before is in use.
typedef struct { uint64_t contents[12], previous_size, size; struct sm_thread_map map; uint64_t next_size; uint64_t next[16]; } heap;
static _Alignas(16) heap memory;
static char *data[8];

static void lay_out(void)
{
    size_t self = (size_t)syscall(SYS_gettid);
    memory.size = 0x1011;
    memory.next_size = 0x91;
    memory.map.entries[17].tid = self;
    memory.map.entries[17].thread = thread_of_this;
    memory.map.entries[18].tid = (size_t)1 << 40 | (self + 1);   // left behind by a fork
    memory.map.entries[18].thread = thread_of_other;
    sm__engine.core = (sm_range){ (char *)data, (char *)(data + 8) };
    data[3] = (char *)&memory.map;
}

static void the_thread_map_is_found(void)
{
    lay_out();
    CHECK_EQUAL(1, locate_thread_map());
    CHECK(sm__engine.thread_map == (struct sm_thread_map **)&data[3]);
}

static void pointers_to_what_lies_beside_the_thread_map_are_not_it(void)
{
    for (int shift = -96; shift <= 96; shift += 16) {
        lay_out();
        data[5] = shift ? (char *)&memory.map + shift : NULL;
        CHECK_EQUAL(1, locate_thread_map());
        CHECK(sm__engine.thread_map == (struct sm_thread_map **)&data[3]);
    }
}

static void two_tables_are_one_too_many(void)
{
    static _Alignas(16) struct sm_thread_map second;
    lay_out();
    second = memory.map;
    data[6] = (char *)&second;
    CHECK_EQUAL(2, locate_thread_map());
    CHECK(sm__engine.thread_map == NULL);
}

int main(void)
{
    static const sm_test_case cases[] = {
        CASE(the_thread_map_is_found),
        CASE(pointers_to_what_lies_beside_the_thread_map_are_not_it),
        CASE(two_tables_are_one_too_many),
    };
    return sm_run_tests(cases, sizeof cases / sizeof *cases);
}
