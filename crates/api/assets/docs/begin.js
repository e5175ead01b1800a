// Draws the reference from the description that this installation serves.
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const theme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
theme();
dark.addEventListener("change", theme);

window.ui = SwaggerUIBundle({
  url: "../v1/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  layout: "BaseLayout",
  presets: [SwaggerUIBundle.presets.apis],
  validatorUrl: null,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  defaultModelExpandDepth: 2,
  displayRequestDuration: true,
  persistAuthorization: false,
});
