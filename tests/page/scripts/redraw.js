// Draws one panel of an open page again, in place of the old one, from what its routes answer now.
async (id) => {
  const filters = () => ({ period: ["this_month"], from: [], to: [], person: [], developer: [] });
  const page = { filters, part: () => "model", setPart() {} };
  const [{ deliveryPanels }, { spendPanel }] = await Promise.all([import("/page/delivery.js"), import("/page/spend.js")]);
  const panel = [spendPanel(page), ...deliveryPanels(filters, () => {})].find((one) => one.options.id === id);
  document.getElementById(id).replaceWith(panel.element);
  await panel.refresh(new AbortController().signal);
}
