/** The page's entry point. */
import { render } from "preact";
import { readPageFacts } from "./api/facts.ts";
import { createRestCaller } from "./api/rest.ts";
import { openEventStream } from "./api/stream.ts";
import { App } from "./app.tsx";
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
render(
  <App facts={facts} call={call} connected={stream.connected} vmStore={vmStore} />,
  document.getElementById("root")!,
);
