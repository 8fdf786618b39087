/** Where the page begins. */
import { render } from "preact";
import { pageFacts } from "./api/facts.ts";
import { restCaller } from "./api/rest.ts";
import { App } from "./app.tsx";
import { fleetOf } from "./list/vm-store.ts";
import "./style/tokens.css";
import "./style/base.css";
import "./style/components.css";
import "./style/page.css";
import "./style/list.css";
import "./style/vm.css";

const facts = pageFacts();
const call = restCaller(facts.tools, () => location.replace("/login"));
const fleet = fleetOf(call, facts.place);
render(<App facts={facts} call={call} fleet={fleet} />, document.getElementById("root")!);
