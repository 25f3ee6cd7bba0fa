// The verbs. Each Add function describes one to the command line.
#ifndef CRISP_AGENT_COMMANDS_COMMANDS_H_
#define CRISP_AGENT_COMMANDS_COMMANDS_H_

#include <string>
#include <vector>

#include "agent/commands/session.h"
#include "agent/commands/verb.h"

namespace crisp::cli {

void AddApiResources(Verb& crisp);
void AddApply(Verb& crisp);
void AddAttach(Verb& crisp);
void AddCompletion(Verb& crisp);
void AddCreate(Verb& crisp);
void AddDelete(Verb& crisp);
void AddDescribe(Verb& crisp);
void AddDoctor(Verb& crisp);
void AddEvents(Verb& crisp);
void AddExec(Verb& crisp);
void AddGet(Verb& crisp);
void AddImport(Verb& crisp);
void AddLabel(Verb& crisp);
void AddLogs(Verb& crisp);
void AddPortForward(Verb& crisp);
void AddRollout(Verb& crisp);
void AddScale(Verb& crisp);
void AddTop(Verb& crisp);
void AddVersion(Verb& crisp);
void AddWait(Verb& crisp);

// What the completion scripts ask: prints what the last of `words` may become. Takes
// the words as they are, flags among them.
void CompleteWords(const std::vector<std::string>& words, Session& session);

}  // namespace crisp::cli

#endif  // CRISP_AGENT_COMMANDS_COMMANDS_H_
