// Forks itself, again and again, and says how many children were whole: ForkChild <verb,verb…> [count]. Driven by the process tests under many
// runtime settings; one verb a row of docs/fork-fidelity.md.
using StartMethods.ForkChild;
using StartMethods.Forking;

if (Environment.GetEnvironmentVariable("FORKCHILD_SEARCH") is not null)
    AppContext.SetSwitch(ForkOperation.SearchSwitch, true);
string[] verbs = args.Length > 0 ? args[0].Split(',') : [];
int count = args.Length > 1 ? int.Parse(args[1]) : 10;
if (Environment.GetEnvironmentVariable("FORKCHILD_METHOD") == "forkserver")
    return await ServerChildren.RunAsync(verbs, count);
foreach (string verb in verbs)
{
    if (verb != "endurance" && !Verbs.All.ContainsKey(verb) && !Scenarios.All.ContainsKey(verb))
    {
        Console.Error.WriteLine($"ForkChild: unknown verb '{verb}'; known: {string.Join(' ', Verbs.All.Keys.Concat(Scenarios.All.Keys))}");
        return 64;
    }
}
Parents.Become(Environment.GetEnvironmentVariable("FORKCHILD_PARENT") ?? "plain");
if (verbs is ["endurance"])
    return Endurance.Run(count);
int wrong = 0;
foreach (string verb in verbs)
    wrong += Verbs.All.TryGetValue(verb, out Func<int>? body) ? ForkLoop.Run(verb, body, count) : ForkLoop.Run(verb, Scenarios.All[verb], count);
return wrong == 0 ? 0 : 1;
