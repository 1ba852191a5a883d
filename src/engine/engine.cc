#include "engine/engine.h"

#include "engine/dispatch.h"
#include "engine/guarded.h"
#include "engine/scheduler.h"

namespace spillway::engine {

Result<Job> Engine::JobOf(std::string_view recipe_name, const recipe::Request& request) {
  if (const auto problem = request::CheckName(request.who.organisation))
    return Fail(ErrorCode::kInvalidArgument, "the organisation " + *problem);
  const recipe::Recipe* recipe = TRY(recipes_.Find(recipe_name));
  recipe::CanonicalRequest canonical = TRY(Guarded([&] { return recipe->Canonicalise(request); }));
  Job job;
  job.task_id = TaskId(request.export_name, canonical.tenant, canonical.parameters);
  job.export_name = request.export_name;
  job.recipe = recipe_name;
  job.tenant = std::move(canonical.tenant);
  job.group = std::move(canonical.group);
  job.parameters = std::move(canonical.parameters);
  job.requested_by = request.who.user;
  return job;
}

std::string Engine::NewId() {
  std::lock_guard lock(mutex_);
  return chance_.Hex(16);
}

Result<store::Created> Engine::Submit(std::string_view recipe, const recipe::Request& request,
                                      bool fresh) {
  Job asked = TRY(JobOf(recipe, request));
  asked.id = NewId();
  store::Created created = TRY(store_.Create(asked, fresh));
  if (created.job.export_name != asked.export_name || created.job.tenant != asked.tenant ||
      created.job.parameters != asked.parameters) {
    return Fail(ErrorCode::kInternal,
                "another request has the same task id, " + asked.task_id + "; nothing was run");
  }
  TRY(AdmitNext(store_, queue_, created.job.group, options_));
  return created;
}

Result<store::Fired> Engine::Fire(store::Firing firing) {
  if (firing.job) firing.job->id = NewId();
  store::Fired fired = TRY(store_.Fire(firing));
  if (fired.job && !IsFinal(fired.job->state))
    TRY(AdmitNext(store_, queue_, fired.job->group, options_));
  return fired;
}

Result<Job> Engine::Cancel(std::string_view job_id, std::string_view actor,
                           std::string_view cause) {
  Job job = TRY(store_.RequestCancel(job_id, actor, cause));
  TRY(Dispatch(queue_, job, options_.hints_max));
  return job;
}

Result<Job> Engine::Redrive(std::string_view job_id, std::string_view actor) {
  Job job = TRY(store_.Redrive(job_id, actor));
  TRY(AdmitNext(store_, queue_, job.group, options_));
  return job;
}

}  // namespace spillway::engine
