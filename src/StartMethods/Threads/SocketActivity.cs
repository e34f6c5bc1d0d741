using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;

namespace StartMethods.Threads;

/// <summary>How many asynchronous operations are pending on sockets: a forked child's copies of them would end with an error.</summary>
internal static class SocketActivity
{
    private const BindingFlags Own = BindingFlags.NonPublic | BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static;

    /// <summary>Sockets with pending operations; null where the socket engine runs but cannot be asked.</summary>
    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "Absent members make the answer null, which is the careful answer.")]
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "Absent members make the answer null, which is the careful answer.")]
    internal static int? SocketsWithPendingOperations()
    {
        Assembly? sockets = LoadedAssembly.Find("System.Net.Sockets");
        if (sockets is null)
            return 0;
        FieldInfo? contexts = sockets.GetType("System.Net.Sockets.SocketAsyncEngine")?.GetField("s_registeredContexts", Own);
        Type? context = sockets.GetType("System.Net.Sockets.SocketAsyncContext");
        FieldInfo? receive = context?.GetField("_receiveQueue", Own), send = context?.GetField("_sendQueue", Own);
        FieldInfo? receiveTail = receive?.FieldType.GetField("_tail", Own), sendTail = send?.FieldType.GetField("_tail", Own);
        if (receiveTail is null || sendTail is null || contexts?.GetValue(null) is not IEnumerable registered)
            return null;
        int pending = 0;
        foreach (object? one in registered)
        {
            // The queues are structures: what is looked at are copies, which may be a moment old.
            if (one is not null && (receiveTail.GetValue(receive!.GetValue(one)!) is not null || sendTail.GetValue(send!.GetValue(one)!) is not null))
                pending++;
        }
        return pending;
    }
}
