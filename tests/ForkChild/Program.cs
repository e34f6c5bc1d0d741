// Forks itself, again and again, and says how many children were whole: ForkChild <verb> [count]. Driven by the process tests under many
// runtime settings; one verb a row of docs/fork-fidelity.md.
using System.Diagnostics;
using StartMethods.ForkChild;

string verb = args.Length > 0 ? args[0] : "";
int count = args.Length > 1 ? int.Parse(args[1]) : 10;
if (!Verbs.All.TryGetValue(verb, out Func<int>? body))
{
    Console.Error.WriteLine($"ForkChild: unknown verb '{verb}'; known: {string.Join(' ', Verbs.All.Keys)}");
    return 64;
}
return ForkLoop.Run(verb, body, count);
