/** Makes everything inert but this element, which covers the page. Returns a function that takes that back. */
export function makeBackgroundInert(element: HTMLElement): () => void {
  const madeInert: Element[] = [];
  for (let at: Element = element; at.parentElement && at !== document.body; at = at.parentElement)
    for (const sibling of at.parentElement.children)
      if (sibling !== at && !sibling.hasAttribute("inert") && sibling.tagName !== "SCRIPT") {
        sibling.setAttribute("inert", "");
        madeInert.push(sibling);
      }
  return () => {
    for (const one of madeInert) one.removeAttribute("inert");
  };
}
