// Forks itself, again and again, and says how many children were whole: ForkChild <verb> [count]. Driven by the process tests under many
// runtime settings; one verb a row of docs/fork-fidelity.md.
using StartMethods.ForkChild;

string verb = args.Length > 0 ? args[0] : "";
int count = args.Length > 1 ? int.Parse(args[1]) : 10;
Parents.Become(Environment.GetEnvironmentVariable("FORKCHILD_PARENT") ?? "plain");
if (Verbs.All.TryGetValue(verb, out Func<int>? body))
    return ForkLoop.Run(verb, body, count);
if (Scenarios.All.TryGetValue(verb, out Func<string?>? scenario))
    return ForkLoop.Run(verb, scenario, count);
Console.Error.WriteLine($"ForkChild: unknown verb '{verb}'; known: {string.Join(' ', Verbs.All.Keys.Concat(Scenarios.All.Keys))}");
return 64;
