// The runtime's description of itself: libcoreclr exports DotNetRuntimeContractDescriptor, which points at a JSON text with the layouts of
// its own types and at the addresses of its globals. Read once, with the few lines that this compact text needs.
#include "engine.h"

#include <string.h>

struct descriptor { char magic[8]; uint32_t flags, json_size; const char *json; uint32_t pointer_count, padding; char **pointers; };

// The number behind "name": within the object behind "type":{ , or -1. A field is `"Id":16` or `"GCHandle":[304,"GCHandle"]`.
static int field_of(const char *json, const char *type, const char *name)
{
    char key[64];
    sm_text text = { key, sizeof key, 0 };
    sm__text(&text, "\""); sm__text(&text, type); sm__text(&text, "\":{");
    const char *object = strstr(json, key), *end = object ? strchr(object, '}') : NULL;
    text.used = 0;
    sm__text(&text, "\""); sm__text(&text, name); sm__text(&text, "\":");
    const char *field = end ? strstr(object, key) : NULL;
    if (!field || field > end)
        return -1;
    field += strlen(key);
    while (*field == '[')
        field++;
    return *field >= '0' && *field <= '9' ? (int)sm__parse(&field, 10) : -1;
}

int sm__read_contract(const void *address)
{
    const struct descriptor *descriptor = address;
    sm_engine *engine = &sm__engine;
    if (memcmp(descriptor->magic, "DNCCDAC", 7) != 0 || !descriptor->json)
        return -EPROTO;
    const char *json = descriptor->json;
    engine->first_link = field_of(json, "ThreadStore", "FirstThreadLink");
    engine->background_count = field_of(json, "ThreadStore", "BackgroundCount");
    engine->link_next = field_of(json, "Thread", "LinkNext");
    engine->os_id = field_of(json, "Thread", "OSId");
    engine->managed_id = field_of(json, "Thread", "Id");
    engine->state = field_of(json, "Thread", "State");
    engine->preemptive_disabled = field_of(json, "Thread", "PreemptiveGCDisabled");
    engine->thread_statics = field_of(json, "Thread", "ThreadLocalDataPtr");
    engine->static_arrays = field_of(json, "ThreadLocalData", "NonCollectibleTlsArrayData");
    if (engine->static_arrays < 0 || field_of(json, "Array", "!") != 16 || field_of(json, "Array", "m_NumComponents") != 8)
        engine->thread_statics = -1;
    const char *globals = strstr(json, "\"globals\":{");
    int store = globals ? field_of(globals, "globals", "ThreadStore") : -1;
    if (engine->first_link < 0 || engine->link_next < 0 || engine->os_id < 0 || engine->managed_id < 0 || engine->state < 0
        || engine->preemptive_disabled < 0 || store < 0 || (uint32_t)store >= descriptor->pointer_count)
        return -EPROTO;
    engine->thread_store = (char **)descriptor->pointers[store];
    return 0;
}
