// An application that knows nothing of guards: its Main begins with what must happen once only.
using StartMethods;

Console.WriteLine($"main in {Environment.ProcessId}");
int from = 20;
Order order = new("bolts", [1, 2, 3]);
Console.WriteLine($"closure {await ChildProcess.RunAsync(() => from * 2 + order.Amounts.Length - 1)}");
Console.WriteLine($"argument {(await ChildProcess.RunAsync(static o => o with { Name = o.Name.ToUpperInvariant() }, order)).Name}");
Console.WriteLine($"async {await ChildProcess.RunAsync(static async () => { await Task.Delay(1); return $"{ChildProcess.Current!.Method.Name} in {System.Reflection.Assembly.GetEntryAssembly()!.GetName().Name}"; })}");
Console.WriteLine($"nested {await ChildProcess.RunAsync(static async () => 1 + await ChildProcess.RunAsync(static () => 2))}");
try
{
    await ChildProcess.RunAsync(static () => throw new FormatException("from the child"));
}
catch (FormatException e)
{
    Console.WriteLine($"exception {e.Message}");
}

internal sealed record Order(string Name, int[] Amounts);
