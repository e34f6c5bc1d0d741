// Who is alive and what is each thread doing.
#include "engine.h"

#include <signal.h>
#include <string.h>

static void describe(const sm_slot *slot, sm_thread_info *info)
{
    memset(info, 0, sizeof *info);
    info->tid = atomic_load(&slot->tid);
    info->kind = slot->kind;
    info->managed_id = slot->managed_id;
    info->mode = slot->mode;
    info->syscall = slot->syscall;
    info->parked = slot->parked;
    info->detail = slot->syscall < 0 ? -1 : slot->syscall == SYS_futex ? (int)slot->argument[1] : (int)slot->argument[0];
    info->state = slot->managed_state;
    memcpy(info->name, slot->name, sizeof info->name);
}

int sm__describe_parked(const sm_run *run, sm_thread_info *threads, int32_t capacity)
{
    int count = 0;
    sm__read_managed();
    sm__classify(run->process);
    sm__note_places();
    for (int i = 0; i < sm__slot_count; i++)
        if (atomic_load(&sm__slots[i].state) == SM_SLOT_PARKED && count++ < capacity)
            describe(&sm__slots[i], &threads[count - 1]);
    return count;
}
