/** While something covers the page, nothing below it can be reached. */
export function alone(element: HTMLElement): () => void {
  const silenced: Element[] = [];
  for (let at: Element = element; at.parentElement && at !== document.body; at = at.parentElement)
    for (const sibling of at.parentElement.children)
      if (sibling !== at && !sibling.hasAttribute("inert") && sibling.tagName !== "SCRIPT") {
        sibling.setAttribute("inert", "");
        silenced.push(sibling);
      }
  return () => {
    for (const one of silenced) one.removeAttribute("inert");
  };
}
