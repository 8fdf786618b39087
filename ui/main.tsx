/** The page's entry point. */
import { render } from "preact";
import { isAllowed, readPageFacts } from "./api/facts.ts";
import { createRestCaller } from "./api/rest.ts";
import { openEventStream } from "./api/stream.ts";
import { App } from "./app.tsx";
import { createJobStore } from "./list/job-store.ts";
import { createVmStore } from "./list/vm-store.ts";
import "./style/tokens.css";
import "./style/base.css";
import "./style/components.css";
import "./style/page.css";
import "./style/list.css";
import "./style/vm.css";

const facts = readPageFacts();
const logIn = () => location.replace("/login");
const call = createRestCaller(facts.tools, logIn);
const stream = openEventStream(facts.place, logIn);
const vmStore = createVmStore(call, stream);
const jobStore = createJobStore(call, stream, isAllowed(facts, "list_jobs"));
render(
  <App facts={facts} call={call} connected={stream.connected} vmStore={vmStore} jobStore={jobStore} />,
  document.getElementById("root")!,
);
